import assert from 'node:assert/strict';
import { request } from 'undici';
import { allOutput, forgetOutput } from '@diq/testing/service-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { readAllKeys } from './support/read-all-keys.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';

/** Anything that has the form of an access token, whoever issued it. */
const tokenForm = /eyJ[\w-]{8,}\.[\w-]{8,}/;

describe('secrets, in a run that meets success and every kind of failure', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  const answers: string[] = [];
  let stack: Stack;
  let stored = '';
  let metrics = '';

  before(async () => {
    forgetOutput();
    stack = await startStack({
      redisUrl: redis.url,
      limit: 10,
      windowMs: 1_000,
      workers: 1,
      callTimeoutMs: 500,
    });
    const [started, hung, broken, refused, reset, again] = machineIds(6) as [string, ...string[]];
    const faults = [
      { target: 'token', times: 1, action: { kind: 'token-refused', error: 'AADSTS7000215' } },
      { target: 'start', times: 1, when: { machineId: hung }, action: { kind: 'hang' } },
      { target: 'start', times: 1, when: { machineId: broken }, action: { kind: 'status', status: 500 } },
      { target: 'start', times: 1, when: { machineId: refused }, action: { kind: 'status', status: 400 } },
      { target: 'start', times: 1, when: { machineId: reset }, action: { kind: 'reset', when: 'after' } },
    ];
    for (const fault of faults) await stack.control.addFault(fault);
    const first = await stack.api.postBatch(
      [started, hung, broken, refused, reset].filter((id) => id !== undefined),
    );
    await stack.api.untilCompleted(first.id, 30_000);
    await stack.control.revokeTokens();
    const second = await stack.api.postBatch([again ?? '']);
    await stack.api.untilCompleted(second.id, 30_000);

    for (const { id = '' } of [...first.items, ...second.items]) {
      answers.push(JSON.stringify(await stack.api.findRequest(id)));
    }
    for (const [path, headers] of [
      ['/v1/quota', { authorization: `Bearer ${stack.secrets.apiKey}` }],
      ['/v1/quota', { authorization: `Bearer ${stack.secrets.apiKey}x` }],
      ['/v1/nowhere', { 'x-api-key': stack.secrets.apiKey }],
    ] as const) {
      answers.push(await (await request(`${stack.api.origin}${path}`, { headers })).body.text());
    }
    stored = await readAllKeys(redis.client);
    metrics = await stack.api.metrics();
    for (const { ready } of stack.workers) {
      metrics += await (await request(`http://127.0.0.1:${ready.port}/metrics`)).body.text();
    }
    await stack.stop();
  });

  it('met what it was meant to meet', () => {
    for (const outcome of [
      'started',
      'timeout',
      'server-error',
      'refused',
      'connection-lost',
      'token-rejected',
    ]) {
      assert.match(metrics, new RegExp(`diq_defender_calls_total\\{outcome="${outcome}"\\} [1-9]`), outcome);
    }
    for (const outcome of ['found', 'retried', 'unknown']) {
      assert.match(metrics, new RegExp(`diq_reconciliations_total\\{outcome="${outcome}"\\} [1-9]`), outcome);
    }
    assert.match(metrics, /diq_token_requests_total\{outcome="rejected"\} [1-9]/);
  });

  for (const [where, text] of [
    ['log line', () => allOutput()],
    ['key or value in Redis', () => stored],
    ['answer of the API', () => answers.join('\n')],
    ['metric', () => metrics],
  ] as const) {
    it(`reach no ${where}`, () => {
      assert.ok(text().length > 100, 'there is something to search');
      for (const [name, secret] of Object.entries(stack.secrets)) {
        assert.ok(!text().includes(secret), `found the ${name} in: ${lineWith(text(), secret)}`);
      }
      assert.doesNotMatch(text(), tokenForm);
    });
  }
});

function lineWith(text: string, secret: string): string {
  return text.split('\n').find((line) => line.includes(secret)) ?? '';
}
