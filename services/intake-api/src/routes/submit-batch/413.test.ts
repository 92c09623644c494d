import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { batchBodyLimitBytes } from '../../http/middleware/require-json.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/batches with too large a body', () => {
  const intake = useIntake(useEmbeddedRedis());
  const acceptable = JSON.stringify({ requests: [item(1)] });

  it('takes a body of the very limit and refuses one byte more, telling the limit', async () => {
    await intake.postRaw('/v1/batches', acceptable.padEnd(batchBodyLimitBytes)).expect(202);
    const response = await intake.postRaw('/v1/batches', acceptable.padEnd(batchBodyLimitBytes + 1));
    const problem = expectProblem(response, 'body_too_large');
    assert.match(problem.detail ?? '', new RegExp(String(batchBodyLimitBytes)));
  });

  it('counts the bytes after decompression', async () => {
    const bomb = gzipSync(acceptable.padEnd(batchBodyLimitBytes + 1));
    const response = await intake.postRaw('/v1/batches', bomb, { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'body_too_large');
  });
});
