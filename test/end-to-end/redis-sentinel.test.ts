import assert from 'node:assert/strict';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { startRedisSentinels, type RedisSentinels } from '@diq/testing/redis-sentinels.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { assertStartedOnce } from './support/judge-calls.ts';
import { makeRedisAccess } from './support/redis-access.ts';
import { startStack, type Stack } from './support/stack.ts';
import { startSteadyCaller, type SteadyCaller } from './support/steady-caller.ts';

const limit = 20;
const windowMs = 1_500;
const backWithinMs = 30_000;

describe('with Redis behind sentinels, over TLS, by password, and REDIS_WAIT_REPLICAS=1', function () {
  this.timeout(120_000);
  let redis: RedisSentinels;
  let stack: Stack;
  let caller: SteadyCaller;

  before(async function () {
    requireRedisServer.call(this);
    const access = await makeRedisAccess();
    redis = await startRedisSentinels({ ...access, replicas: 2, appendOnly: true });
    stack = await startStack({
      redisUrl: redis.env['REDIS_URL'] ?? '',
      redisCa: access.tls.cert,
      limit,
      windowMs,
      workers: 2,
      env: { ...redis.env, REDIS_WAIT_REPLICAS: '1' },
      workerEnv: { QUOTA_COLD_START: 'open' },
    });
    caller = startSteadyCaller(stack.api);
  });
  after(async () => {
    await caller?.stop();
    await stack?.stop();
    await redis?.stop();
  });

  it('work goes on within 30 s after the primary was killed, and nothing that was accepted is lost', async () => {
    await stack.control.untilCalls(limit);
    const lost = await redis.primary();
    await lost.server.kill();
    const killedAtMs = Date.now();
    await redis.untilFailedOver(lost);
    await caller.nextAccepted();
    const callsBefore = (await stack.control.calls()).calls.length;
    await stack.control.untilCalls(callsBefore + 1);
    const tookMs = Date.now() - killedAtMs;
    assert.ok(tookMs < backWithinMs, `${tookMs} ms`);
    assert.ok(caller.refusedAtMs.length > 0, 'nothing was refused meanwhile');
  });

  it('nothing is accepted and nothing called that a lagging replica lacks; nothing is lost when it is promoted', async () => {
    const [first, ...others] = await redis.replicas();
    assert.ok(first && others.length === 0, 'one replica is left');
    await redis.untilInSync();
    await redis.holdReplicasBack();
    const isSaid = async () => (await stack.api.call('GET', '/readyz')).body;
    await waitFor(async () => JSON.stringify(await isSaid()).includes('REDIS_WAIT_REPLICAS'), {
      what: 'readiness to say why nothing is accepted',
    });
    const before = [caller.accepted.length, (await stack.control.calls()).calls.length];
    const refused = caller.refusedAtMs.length;
    await waitFor(() => caller.refusedAtMs.length > refused + 1, { what: 'two refusals' });
    assert.deepEqual([caller.accepted.length, (await stack.control.calls()).calls.length], before);

    const lost = await redis.primary();
    await lost.server.kill();
    assert.equal(await redis.untilFailedOver(lost), first);
    // It has no replica, until the one that was lost comes back as such.
    await lost.server.restart();
    await caller.nextAccepted();
    await caller.stop();
    await assertStartedOnce(caller.accepted, { ...stack, limit });
    assert.deepEqual(caller.odd, []);
  });
});
