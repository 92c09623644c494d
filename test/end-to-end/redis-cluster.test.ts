import assert from 'node:assert/strict';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { startRedisCluster, type RedisCluster } from '@diq/testing/redis-cluster.ts';
import { requireRedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { assertStartedOnce } from './support/judge-calls.ts';
import { makeRedisAccess } from './support/redis-access.ts';
import { startStack, type Stack } from './support/stack.ts';
import { startSteadyCaller, type SteadyCaller } from './support/steady-caller.ts';

const limit = 20;
const windowMs = 1_500;
const backWithinMs = 30_000;

describe('on a Redis Cluster, over TLS, by password, and REDIS_WAIT_REPLICAS=1', function () {
  this.timeout(120_000);
  let redis: RedisCluster;
  let stack: Stack;
  let caller: SteadyCaller;
  let keySpace: string;

  before(async function () {
    requireRedisServer.call(this);
    const access = await makeRedisAccess();
    redis = await startRedisCluster({ ...access, appendOnly: true });
    stack = await startStack({
      redisUrl: redis.env['REDIS_URL'] ?? '',
      redisCa: access.tls.cert,
      limit,
      windowMs,
      workers: 2,
      env: { ...redis.env, REDIS_WAIT_REPLICAS: '1' },
      workerEnv: { QUOTA_COLD_START: 'open' },
    });
    keySpace = keySpaceOf({ tenantId: stack.tenantId, operation: 'initiateInvestigation' });
    caller = startSteadyCaller(stack.api);
  });
  after(async () => {
    await caller?.stop();
    await stack?.stop();
    await redis?.stop();
  });

  const untilMoreCalls = async () => {
    const { calls } = await stack.control.calls();
    await stack.control.untilCalls(calls.length + 1);
  };

  it('work goes on while another part of the cluster is lost', async () => {
    await stack.control.untilCalls(limit);
    const owner = await redis.ownerOf(keySpace);
    const [other] = redis.shards.find((shard) => !shard.includes(owner)) ?? [];
    const refused = caller.refusedAtMs.length;
    await other?.server.kill();
    for (let i = 0; i < 10; i += 1) await caller.nextAccepted();
    await untilMoreCalls();
    await other?.server.restart();
    await redis.untilWhole();
    assert.equal(caller.refusedAtMs.length, refused);
  });

  it('work goes on while its slot is moved to another node, and after that', async () => {
    const to = await redis.moveSlot(keySpace, { batch: 150, between: () => caller.nextAnswered() });
    assert.equal(await redis.ownerOf(keySpace), to);
    await caller.nextAccepted();
    await untilMoreCalls();
  });

  it('a lagging replica that is promoted has all that was accepted, and no machine is called twice', async () => {
    await redis.untilInSync(keySpace);
    const replica = await redis.replicaOf(keySpace);
    const follow = await redis.holdReplicaBack(keySpace);
    const isSaid = async () => JSON.stringify((await stack.api.call('GET', '/readyz')).body);
    await waitFor(async () => (await isSaid()).includes('REDIS_WAIT_REPLICAS'), {
      what: 'readiness to say why nothing is accepted',
    });
    const before = [caller.accepted.length, (await stack.control.calls()).calls.length];
    const refused = caller.refusedAtMs.length;
    await waitFor(() => caller.refusedAtMs.length > refused + 1, { what: 'two refusals' });
    assert.deepEqual([caller.accepted.length, (await stack.control.calls()).calls.length], before);

    const lost = await redis.ownerOf(keySpace);
    await lost.server.kill();
    const killedAtMs = Date.now();
    await redis.untilOwner(keySpace, replica);
    await follow();
    // It has no replica, until the one that was lost comes back as such.
    await lost.server.restart();
    await caller.nextAccepted();
    await untilMoreCalls();
    const tookMs = Date.now() - killedAtMs;
    assert.ok(tookMs < backWithinMs, `${tookMs} ms`);
    await caller.stop();
    await assertStartedOnce(caller.accepted, { ...stack, limit });
    assert.deepEqual(caller.odd, []);
  });
});
