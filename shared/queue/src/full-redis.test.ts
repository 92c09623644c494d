import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { createAuditLog } from './operations/audit-log.ts';
import { createBulkCancel } from './requests/bulk-cancel.ts';
import { createIdempotencyStore } from './admission/idempotency-store.ts';
import { defaultOrderRules } from './scheduling/order.ts';
import { createQueuePause } from './operations/queue-pause.ts';
import { createRequestActions } from './requests/request-actions.ts';
import { createRequestList } from './requests/list-requests.ts';
import { arrivedAtMs, item, keySpace, machine, openTestStore } from './test-support/test-store.ts';
import type { TestStore } from './test-support/test-store.ts';

const hourMs = 3_600_000;
const retentionMs = hourMs;
const anna = { name: 'anna', reason: 'no room' };
const past = new Date(Date.now() - 60_000).toISOString();
const lost = { cause: 'lost', error: { code: 'call_timeout', message: 'no answer' } } as const;
const started = { status: 'started', result: { kind: 'investigation', id: '5146' }, attempts: 1 } as const;

describe('a Redis that is full', () => {
  let server: RedisServer | undefined;
  let admin: Redis;
  let store: TestStore;
  before(async function () {
    requireRedisServer.call(this);
    server = await startRedisServer();
    admin = new Redis(server.url);
  });
  beforeEach(async () => {
    await admin.config('SET', 'maxmemory', '0');
    await admin.flushall();
    store = await openTestStore(server?.url ?? '');
  });
  afterEach(async () => {
    await admin.config('SET', 'maxmemory', '0');
    await store.close();
  });
  after(async () => {
    await admin?.quit();
    await server?.stop();
  });

  const fill = () => admin.config('SET', 'maxmemory', '1');
  const accept = async (number: number, fields: Parameters<typeof item>[0] = {}) => {
    const { id } = await store.intake.acceptOne(item({ machineId: machine(number), ...fields }), {
      nowMs: arrivedAtMs,
    });
    return { id, taskId: (await store.request(id)).taskId };
  };
  const statusOf = async (id: string) => (await store.request(id)).document.status;
  const actions = () => {
    const { redis, jobs } = store;
    const options = { redis, keySpace, jobs, order: defaultOrderRules };
    return createRequestActions({ ...options, retentionMs, auditKeptMs: hourMs });
  };

  it('takes no new work, also while nothing waits, and says that it is in trouble', async () => {
    await fill();
    const one = store.intake.acceptOne(item(), { nowMs: arrivedAtMs });
    await assert.rejects(one, isRedisTrouble);
    await assert.rejects(store.intake.acceptBatch([item()], { nowMs: arrivedAtMs }), isRedisTrouble);
    assert.equal(await store.tasks.countWaiting(), 0);
  });

  it('moves a task through all that a call can come to', async () => {
    const { id, taskId } = await accept(1);
    const [given, ended] = [await accept(2), await accept(3)];
    await fill();
    const { tasks } = store;
    assert.deepEqual(await tasks.begin(taskId, 'call-1'), { moved: true });
    assert.deepEqual(await tasks.reconcile(taskId, 'call-1', lost, 0), { moved: true });
    const due = await tasks.takeDue(1_000);
    assert.equal(due.id, taskId);
    assert.equal(await tasks.rescheduleQuery(taskId, 'call-1', due.nowMs), true);
    assert.deepEqual(await tasks.settle(taskId, 'call-1', started), { moved: true });
    assert.equal(await statusOf(id), 'started');

    assert.deepEqual(await tasks.begin(given.taskId, 'call-2'), { moved: true });
    assert.deepEqual(await tasks.giveBack(given.taskId, 'call-2'), { moved: true });
    const failed = { status: 'failed', error: lost.error, attempts: 0 } as const;
    assert.deepEqual(await tasks.endWaiting(ended.taskId, failed), { moved: true });
    assert.deepEqual([await statusOf(given.id), await statusOf(ended.id)], ['queued', 'failed']);
  });

  it('ends requests whose deadline was reached, and takes their jobs out', async () => {
    const { id, taskId } = await accept(1, { notAfter: past });
    await fill();
    assert.deepEqual(await store.tasks.expireDue(), { requestIds: [id], ended: [taskId] });
    await store.jobs.removeAll([taskId]);
    assert.equal(await store.jobs.countAll(), 0);
  });

  it('lets one request be cancelled, and many, with who did it and why', async () => {
    const [{ id }, other] = [await accept(1), await accept(2, { source: 'soar' })];
    await fill();
    const { redis, jobs } = store;
    const audit = createAuditLog(redis, keySpace, hourMs);
    assert.deepEqual(await actions().cancel(id, anna), { kind: 'done' });
    const cancelling = createBulkCancel({ redis, keySpace, jobs, audit, retentionMs });
    const { cancelled } = await cancelling.cancel({ source: 'soar' }, anna, { budgetMs: 5_000 });
    assert.equal(cancelled, 1);
    assert.deepEqual([await statusOf(id), await statusOf(other.id)], ['cancelled', 'cancelled']);
    assert.equal(await jobs.countAll(), 0);
    const entered = (await audit.page(10)).entries.map(({ entry }) => entry.action);
    assert.deepEqual(entered, ['cancel_many_done', 'cancel_many', 'cancel']);
  });

  it('lets calls be paused and resumed', async () => {
    await fill();
    const pausing = createQueuePause(store.redis, keySpace, hourMs);
    await pausing.pause(anna);
    assert.equal((await pausing.find())?.by, 'anna');
    assert.equal(await pausing.resume(anna), true);
  });

  it('lets requests be listed', async () => {
    const { id } = await accept(1);
    await fill();
    const { requests } = await createRequestList(store.redis, keySpace).page({}, 10);
    assert.deepEqual(
      requests.map(({ document }) => document.id),
      [id],
    );
  });

  it('lets a request be changed and moved to the head, and its job with it', async () => {
    const [ahead, { id, taskId }] = [await accept(1), await accept(2)];
    await fill();
    assert.deepEqual(await actions().change(id, { priority: 'critical' }, anna), { kind: 'done' });
    assert.equal(await store.jobs.next(), taskId);
    assert.deepEqual(await actions().moveToHead(ahead.id, anna), { kind: 'done' });
    assert.equal(await store.jobs.next(), ahead.taskId);
  });

  it('gives no Idempotency-Key away, and takes the answer to one that is out', async () => {
    const keys = createIdempotencyStore(store.redis, keySpace, { leaseMs: 1_000, keepMs: hourMs });
    const attempt = keys.attempt('first');
    await attempt.claim('digest', arrivedAtMs);
    await fill();
    await assert.rejects(keys.attempt('second').claim('digest', arrivedAtMs), isRedisTrouble);
    await attempt.store(Buffer.from('answer'));
    assert.equal((await keys.attempt('first').claim('digest', arrivedAtMs)).kind, 'answered');
  });

  it('takes all that the ledger needs for calls: opening, spending, answers, permits given back, holds', async () => {
    await fill();
    const ledger = createLedger(store.redis, keySpace, {
      limits: [{ calls: 2, windowMs: hourMs }],
      callTimeoutMs: 1_000,
    });
    await ledger.open();
    await ledger.endColdStart();
    const call = (n: number) => ({ callId: `call-${n}`, taskId: `task-${n}`, machineId: machine(n) });
    for (const n of [1, 2]) assert.equal((await ledger.spend(call(n))).kind, 'granted');
    assert.ok(await ledger.recordAnswer('call-1', { outcome: 'started', facts: {} }));
    assert.equal(await ledger.giveBack('call-2'), true);
    await ledger.hold('throttled', hourMs);
    assert.equal((await ledger.snapshot()).hold?.reason, 'throttled');
    assert.equal(await store.redis.hlen(ledgerKeys(keySpace).entries), 1);
  });
});
