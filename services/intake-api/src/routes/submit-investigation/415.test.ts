import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations with something other than JSON', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify(item(1));

  for (const contentType of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'json']) {
    it(`refuses ${contentType}`, async () => {
      const response = await intake.postRaw('/v1/investigations', acceptable, {
        'Content-Type': contentType,
      });
      expectProblem(response, 'unsupported_media_type');
    });
  }

  for (const charset of ['iso-8859-1', 'utf-7', 'utf-16', 'utf-16le', 'UTF-32', 'us-ascii', 'utf-8x']) {
    it(`refuses the charset ${JSON.stringify(charset)} and says which one is read`, async () => {
      const headers = { 'Content-Type': `application/json; charset=${charset}` };
      const response = await intake.postRaw('/v1/investigations', acceptable, headers);
      assert.match(expectProblem(response, 'unsupported_media_type').detail ?? '', /charset .* UTF-8/);
    });
  }

  it('refuses an encoding that it cannot read', async () => {
    const response = await intake.postRaw('/v1/investigations', acceptable, {
      'Content-Encoding': 'compress',
    });
    expectProblem(response, 'unsupported_media_type');
  });

  for (const parameter of [
    'charset=utf-8',
    'charset=UTF-8',
    'charset=utf8',
    'Charset="UTF8"',
    'charset="utf-8"; x=y',
  ]) {
    it(`takes JSON with ${parameter}`, async () => {
      const headers = { 'Content-Type': `application/json;${parameter}` };
      await intake.postRaw('/v1/investigations', acceptable, headers).expect(202);
    });
  }

  it('takes JSON that is compressed', async () => {
    await intake
      .postRaw('/v1/investigations', gzipSync(acceptable), { 'Content-Encoding': 'gzip' })
      .expect(202);
  });
});
