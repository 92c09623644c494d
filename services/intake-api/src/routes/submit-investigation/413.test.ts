import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { singleBodyLimitBytes } from '../../http/middleware/require-json.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations with too large a body', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify(item(1));

  it('takes a body of the very limit and refuses one byte more, telling the limit', async () => {
    await intake.postRaw('/v1/investigations', acceptable.padEnd(singleBodyLimitBytes)).expect(202);
    const response = await intake.postRaw('/v1/investigations', acceptable.padEnd(singleBodyLimitBytes + 1));
    const problem = expectProblem(response, 'body_too_large');
    assert.match(problem.detail ?? '', new RegExp(String(singleBodyLimitBytes)));
  });

  it('takes every item that is valid, however it is written', async () => {
    const alarm = '🚨';
    const full = item(1, {
      comment: alarm.repeat(4_000),
      source: alarm.repeat(128),
      correlation: Object.fromEntries(
        Array.from({ length: 20 }, (_, i) => [`${alarm.repeat(62)}${10 + i}`, alarm.repeat(256)]),
      ),
      notAfter: '2099-12-31T23:59:59.999999999+14:00',
      callbackUrl: `https://receiver.example/${alarm.repeat(2_048 - 25)}`,
      priority: 'critical',
      strict: false,
      force: false,
    });
    const bytes = Buffer.byteLength(asciiOnly(full));
    assert.ok(bytes <= singleBodyLimitBytes, `${bytes} bytes`);
    const { callbackUrl: _, ...withoutCallback } = full as typeof full & { callbackUrl?: string };
    const body = asciiOnly(withoutCallback).padEnd(bytes);
    const { body: accepted } = await intake.postRaw('/v1/investigations', body).expect(202);
    assert.equal(accepted.comment, alarm.repeat(4_000));
  });

  it('counts the bytes after decompression', async () => {
    const bomb = gzipSync(acceptable.padEnd(singleBodyLimitBytes + 1));
    const response = await intake.postRaw('/v1/investigations', bomb, { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'body_too_large');
  });
});

/** Each character as escapes. */
function asciiOnly(value: object): string {
  const escaped = (text: string) =>
    text
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');
  return JSON.stringify(value).replaceAll(/(?<=")[^":,{}[\]]+(?=")/g, escaped);
}
