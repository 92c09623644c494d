import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';
import { expectReplay, postOnce } from '../../test-support/replays.ts';

describe('POST /v1/batches with an Idempotency-Key whose first request is under way', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);

  it('is refused with the time to wait, and afterwards gets the first answer', async () => {
    const [key, body] = [randomUUID(), { requests: Array.from({ length: 4_000 }, (_, n) => item(n)) }];
    const underWay = postOnce(intake, '/v1/batches', body, key).then((response) => response);
    await waitFor(async () => (await redis.client.keys('*:idempotency:*')).length, {
      what: 'the first request to have the key',
      intervalMs: 2,
    });
    const refused = await postOnce(intake, '/v1/batches', body, key);
    expectProblem(refused, 'idempotency_in_flight');
    assert.equal(refused.headers['retry-after'], '5');
    const first = await underWay;
    assert.equal(first.status, 202);
    expectReplay(await postOnce(intake, '/v1/batches', body, key), first);
  }).timeout(60_000);
});
