import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item } from '../test-support/items.ts';

describe('a POST when the queue has not been empty for as long as its priorities tell', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const yearMs = 365 * 24 * 3_600_000;

  it('is refused with the reason and a time to come back, and nothing of it waits', async () => {
    await intake.post('/v1/investigations', item(1)).expect(202);
    const [order] = await redis.client.keys('*:order');
    assert.ok(order);
    await redis.client.hset(order, 'epoch', Date.now() - 4 * yearMs);
    for (const [path, body] of [
      ['/v1/investigations', item(2)],
      ['/v1/batches', { requests: [item(2), item(3)] }],
    ] as const) {
      const response = await intake.post(path, body);
      const { detail } = expectProblem(response, 'backlog_full');
      assert.match(detail ?? '', /let it run empty/);
      assert.ok(Number(response.headers['retry-after']) > 0);
    }
    assert.equal(await intake.tasks.countWaiting(), 1);
    assert.equal(
      intake.log.filter(({ level }) => level === 'error').length,
      2,
      'operators see it in the log',
    );
  });
});
