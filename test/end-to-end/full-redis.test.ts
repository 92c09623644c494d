import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';

const limit = 2;
const windowMs = 2_000;

describe('Redis full, while work waits', function () {
  this.timeout(90_000);
  let redis: Awaited<ReturnType<typeof startRedisServer>> | undefined;
  let stack: Stack | undefined;
  let admin: Redis | undefined;
  const fill = () => admin?.config('SET', 'maxmemory', '1');

  before(async function () {
    requireRedisServer.call(this);
    redis = await startRedisServer({ appendOnly: true });
    admin = new Redis(redis.url);
    stack = await startStack({ redisUrl: redis.url, limit, windowMs, workers: 1 });
  });
  after(async () => {
    await stack?.stop();
    await admin?.quit();
    await redis?.stop();
  });

  it('calls go on and their outcomes are stored; cancelling, pausing and reading work; new work is refused', async () => {
    assert.ok(redis && stack && admin);
    const { api } = stack;
    const machines = machineIds(8);
    await api.call('POST', '/v1/queue/pause', { reason: 'until it is full' });
    const batch = await api.postBatch(machines);
    const [first, second] = batch.items.map(({ id }) => id ?? '');
    const other = await api.postBatch(machineIds(3));
    await fill();

    assert.equal((await api.call('POST', '/v1/batches', { requests: [item()] })).status, 503);
    assert.equal((await api.call('POST', '/v1/investigations', item())).status, 503);
    assert.equal((await api.call('GET', '/v1/investigations')).status, 200);
    assert.equal((await api.call('GET', '/v1/investigations?status=queued')).status, 200);
    assert.equal((await api.call('GET', `/v1/batches/${batch.id}`)).status, 200);
    assert.equal((await api.call('GET', '/v1/quota')).status, 200);
    assert.equal((await api.call('DELETE', `/v1/investigations/${first}`)).status, 200);
    assert.equal((await api.call('GET', `/v1/investigations/${first}`)).status, 200);
    const cancelled = await api.call('POST', '/v1/investigations/cancel', { batchId: other.id });
    assert.deepEqual(cancelled.body, { cancelled: 3, alreadyDispatched: 0, remaining: false });
    assert.equal((await api.call('POST', '/v1/queue/resume', {})).status, 200);

    const done = await api.untilCompleted(batch.id, 60_000);
    assert.deepEqual([done.counts['started'], done.counts['cancelled']], [7, 1]);
    const log = await stack.control.calls();
    assert.deepEqual(log.calls.map(({ machineId }) => machineId).toSorted(), machines.slice(1).toSorted());
    assert.equal((await api.findRequest(second ?? '')).status, 'started');
    assert.match(await admin.info('memory'), /^maxmemory:1\r?$/m);
  });

  it('a worker that starts then serves the waiting tasks, and new work is taken as soon as there is room', async () => {
    assert.ok(redis && stack && admin);
    const { api } = stack;
    await admin.config('SET', 'maxmemory', '0');
    const isTaken = async () => (await api.call('POST', '/v1/investigations', item())).status === 202;
    await waitFor(isTaken, { what: 'new work to be taken' });
    await stack.workers[0]?.stop();
    const batch = await api.postBatch(machineIds(2));
    await fill();
    const worker = await stack.addWorker();
    const done = await api.untilCompleted(batch.id, 60_000);
    assert.equal(done.counts['started'], 2);
    assert.notEqual(worker.ready.port, 0);

    await admin.config('SET', 'maxmemory', '0');
    await waitFor(isTaken, { what: 'new work to be taken' });
  });
});

function item() {
  return { machineId: machineIds(1)[0], comment: 'one more' };
}
