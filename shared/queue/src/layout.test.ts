import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from './admission/accept-requests.ts';
import { createBacklogRoom } from './admission/backlog-reservation.ts';
import { createIdempotencyStore } from './admission/idempotency-store.ts';
import { freshIds } from './admission/request-ids.ts';
import { claimLayout, LayoutError, layoutVersion } from './layout.ts';
import { createAuditLog } from './operations/audit-log.ts';
import { createQueuePause } from './operations/queue-pause.ts';
import { createRequestList } from './requests/list-requests.ts';
import { createRequestActions } from './requests/request-actions.ts';
import { defaultOrderRules } from './scheduling/order.ts';
import { storeKeys } from './store-keys.ts';
import { createLookStore } from './tasks/look-store.ts';
import { formOf, readStored, storedKeys, writeStored } from './test-support/stored-layout.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from './test-support/test-store.ts';
import { useTestStore } from './test-support/use-test-store.ts';

const fixtureOf = (version: number) => new URL(`test-support/layout-${version}.json`, import.meta.url);
const fixture = fixtureOf(layoutVersion);
const keys = storeKeys(keySpace);
const anna = { name: 'anna', reason: 'drill' };
const longMs = 3_600_000;
const quota = { limits: [{ calls: 5, windowMs: longMs }], callTimeoutMs: 30_000 };
const unresolved = { cause: 'lost', error: { code: 'call_timeout', message: 'No answer came.' } } as const;
/** Of the machine that each of these requests is for. */
const machines = {
  started: 3,
  failed: 4,
  reconciling: 5,
  inFlight: 6,
  cancelled: 7,
  expired: 8,
  head: 9,
  action: 10,
  followed: 11,
  ended: 12,
};
/** As of an operation with parameters that makes machine actions. */
const withParameters = {
  coalescingKey: () => 'full',
  isReusable: true,
  resultKind: 'machineAction',
} as const;

describe('the layout of what is stored', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  const open = () => {
    const options = { redis: store.redis, keySpace, jobs: store.jobs, retentionMs };
    return {
      intake: createRequestIntake({ ...options, reuseWindowMs: longMs }),
      ofActions: createRequestIntake({ ...options, reuseWindowMs: longMs, sharing: withParameters }),
      actions: createRequestActions({ ...options, order: defaultOrderRules, auditKeptMs: longMs }),
      idempotency: createIdempotencyStore(store.redis, keySpace, { leaseMs: longMs, keepMs: longMs }),
      ledger: createLedger(store.redis, keySpace, quota),
      pause: createQueuePause(store.redis, keySpace, longMs),
      list: createRequestList(store.redis, keySpace),
    };
  };

  /** Something of every sort that is stored. */
  async function fill(): Promise<void> {
    const { intake, ofActions, actions, idempotency, ledger, pause } = open();
    const caller = 'soar';
    await claimLayout(store.redis, keySpace);
    await ledger.open();
    await ledger.endColdStart();
    await intake.acceptBatch(
      [
        item({
          source: 'xsoar',
          correlation: { incident: 'INC-1' },
          notAfter: '2099-01-01T00:00:00.000Z',
          callbackUrl: 'https://soar.example/done',
        }),
        item(),
        item({ machineId: machine(2), priority: 'critical', comment: 'x'.repeat(900) }),
        { rejected: { index: 3, machineId: 'ws-1', error: { code: 'invalid_item', errors: [] } } },
      ],
      { nowMs: arrivedAtMs, caller, callbackUrl: 'https://soar.example/all' },
    );
    const accept = async (n: number, fields: Parameters<typeof item>[0] = {}) => {
      const given = item({ machineId: machine(n), ...fields });
      const { id } = await intake.acceptOne(given, { nowMs: arrivedAtMs, caller });
      return { id, taskId: (await store.request(id)).taskId };
    };
    const { tasks } = store;
    for (const status of ['started', 'failed'] as const) {
      const { taskId } = await accept(machines[status]);
      const call = { callId: `call-${status}`, taskId, machineId: machine(machines[status]) };
      await ledger.spend(call);
      await tasks.begin(taskId, call.callId);
      const error = { code: 'machine_not_found', message: 'Defender does not know the machine.' };
      const outcome =
        status === 'started' ? { result: { kind: 'investigation' as const, id: '5146' } } : { error };
      await ledger.recordAnswer(call.callId, { outcome: status, facts: { status: 200 }, mayRepeat: false });
      await tasks.settle(taskId, call.callId, { status, attempts: 1, ...outcome });
    }
    const { taskId: lost } = await accept(machines.reconciling);
    await tasks.begin(lost, 'call-lost');
    await tasks.reconcile(lost, 'call-lost', unresolved, longMs);
    const { taskId: begun } = await accept(machines.inFlight);
    await ledger.spend({ callId: 'call-begun', taskId: begun, machineId: machine(machines.inFlight) });
    await tasks.begin(begun, 'call-begun');
    await actions.cancel((await accept(machines.cancelled)).id, anna);
    await accept(machines.expired, { notAfter: '2026-01-01T00:00:00.000Z' });
    await tasks.expireDue();
    await actions.moveToHead((await accept(machines.head)).id, anna);
    // It shares the investigation that was started.
    await accept(machines.started);
    const asked = item({ machineId: machine(machines.action), parameters: { depth: 'full' } });
    const { id } = await ofActions.acceptOne(asked, { nowMs: arrivedAtMs, caller });
    const { taskId: acting } = await store.request(id);
    await tasks.begin(acting, 'call-acting');
    const result = { kind: 'machineAction', id: 'action-1' } as const;
    await tasks.settle(acting, 'call-acting', { status: 'started', result, attempts: 1 });
    await ofActions.acceptOne(asked, { nowMs: arrivedAtMs, caller });
    await ofActions.acceptOne({ ...asked, force: true }, { nowMs: arrivedAtMs, caller });
    await followResults(accept);
    const named = { ...asked, machineId: undefined, machineName: 'pc-1' };
    await ofActions.acceptOne(named, { nowMs: arrivedAtMs, caller });
    const attempt = idempotency.attempt('answered', caller);
    await attempt.claim('digest', arrivedAtMs);
    await attempt.store(Buffer.from('{}'));
    await idempotency.attempt('claimed', caller).claim('digest', arrivedAtMs);
    await createBacklogRoom(store.redis, keySpace).keep(
      1,
      { requests: 99, tasks: undefined },
      freshIds('00000000').batch,
      caller,
      1,
    );
    const looks = createLookStore(store.redis, keySpace, retentionMs);
    const wants = { machine: true, cover: true };
    const { lookId, tasks: looked } = await looks.take({ wants, slots: 2, reserve: 0, enough: 2 });
    const seen = { warnings: ['machine_offline'] as const, isUncovered: true };
    await looks.record(lookId, [{ taskId: looked[0]?.id ?? '', ...seen }]);
    await pause.pause(anna);
    await ledger.hold('throttled', longMs);
  }

  /** One result that runs, which a later request shares, and one that has ended. */
  async function followResults(accept: (n: number) => Promise<{ taskId: string }>): Promise<void> {
    const { following, results } = store;
    const start = async (n: number) => {
      const { taskId } = await accept(n);
      await following.begin(taskId, `call-${n}`);
      const result = { kind: 'investigation', id: `5${n}` } as const;
      await following.settle(taskId, `call-${n}`, { status: 'started', result, attached: true, attempts: 1 });
      return taskId;
    };
    const seen = { state: 'Running', startedAtMs: arrivedAtMs };
    const running = await start(machines.followed);
    await results.note([{ taskId: running, nextReadAtMs: arrivedAtMs, wasRead: true, seen }]);
    await accept(machines.followed);
    const end = { outcome: 'unknown', why: 'unfamiliar', state: 'Odd', wasRead: true } as const;
    await results.end(await start(machines.ended), { ...end, startedAtMs: 1, endedAtMs: 2 });
  }

  it('has the form of the stored fixture: a change of it needs a new version, and a way to upgrade this one', async () => {
    await fill();
    const stored = await readStored(store.redis, keySpace);
    // For the first run of a new version only.
    if (process.env['WRITE_LAYOUT'] === '1') writeFileSync(fixture, `${JSON.stringify(stored, null, 1)}\n`);
    const fixed = storedKeys.parse(JSON.parse(readFileSync(fixture, 'utf8')));
    assert.deepEqual(formOf(stored), formOf(fixed));
  });

  // CHANGELOG.md tells operators the same step from version 1.
  for (const [version, upgrade, ofActions] of [
    [1, async () => redis.client.set(keys.layout, '2'), []],
    [2, async () => undefined, ['queued', 'queued', ...Array<'started'>(5).fill('started')]],
  ] as const)
    describe(`of the fixture of version ${version}`, () => {
      beforeEach('load it', async () => {
        const fixed = storedKeys.parse(JSON.parse(readFileSync(fixtureOf(version), 'utf8')));
        await writeStored(store.redis, fixed);
        await upgrade();
      });

      it('is read by this version: requests, batch, slots, holds, audit, Idempotency-Keys', async () => {
        const { list, ledger, idempotency, pause } = open();
        await claimLayout(store.redis, keySpace);
        const page = await list.page({}, 50);
        const statuses = page.requests.map(({ document }) => document.status).toSorted();
        const others = ['cancelled', 'expired', 'failed', 'queued', 'queued', 'queued', 'queued'];
        const ofCalls = ['dispatching', 'dispatching', 'started', 'started'];
        assert.deepEqual(statuses, [...others, ...ofCalls, ...ofActions].toSorted());
        const batchId = page.requests.find(({ document }) => document.batchId)?.document.batchId ?? '';
        const batch = await store.reader.findBatch(batchId);
        assert.deepEqual([batch?.counts.queued, batch?.counts.rejected, batch?.isComplete], [3, 1, false]);
        const calls = await Promise.all(
          ['started', 'failed', 'begun'].map((name) => ledger.findCall(`call-${name}`)),
        );
        assert.deepEqual(
          calls.map((call) => call?.outcome),
          ['started', 'failed', 'in_flight'],
        );
        // The other holds of the fixture, and what was called, are over.
        assert.deepEqual(
          (await ledger.snapshot()).holdsOn.filter((reason) => reason === 'paused'),
          ['paused'],
        );
        assert.equal((await pause.find())?.by, 'anna');
        const audit = await createAuditLog(store.redis, keySpace, 100 * 365 * 24 * longMs).page(10);
        assert.deepEqual(
          audit.entries.map(({ entry }) => entry.action),
          ['pause', 'move_to_head', 'cancel'],
        );
        assert.equal(
          (await idempotency.attempt('answered', 'soar').claim('digest', arrivedAtMs)).kind,
          'answered',
        );
      });

      it('goes on: requests join, are called and end as if they had been accepted by this version', async () => {
        const { intake } = open();
        const joined = await intake.acceptOne(item({ machineId: machine(machines.reconciling) }), {
          nowMs: arrivedAtMs,
        });
        assert.ok(joined.coalescedWith);
        const { taskId } = await store.request(joined.id);
        assert.deepEqual(
          await store.tasks.settle(taskId, 'call-lost', {
            status: 'started',
            result: { kind: 'investigation', id: '9' },
            attempts: 0,
          }),
          { moved: true },
        );
        assert.equal((await store.request(joined.id)).document.investigationId, '9');
        for (const waiting of await store.tasks.waitingPage(0, 10)) {
          assert.deepEqual(await store.tasks.begin(waiting, `call-${waiting}`), { moved: true });
          const settled = {
            status: 'started',
            result: { kind: 'investigation', id: '7' },
            attempts: 1,
          } as const;
          await store.tasks.settle(waiting, `call-${waiting}`, settled);
        }
        const { counts, waitingTasks } = await store.reader.backlog();
        assert.deepEqual([counts.queued, waitingTasks, counts.dispatching], [0, 0, 1]);
        assert.equal((await redis.client.lrange(keys.callbacksDue, 0, '-1')).filter(isBatch).length, 1);
      });
    });

  for (const [found, words] of [
    [layoutVersion + 1, /newer version .* start that version again/],
    [layoutVersion - 1, /older version .* CHANGELOG\.md/],
  ] as const)
    it(`of version ${found} is refused in words that say what to do, and stays as it is`, async () => {
      await redis.client.set(keys.layout, found);
      await assert.rejects(claimLayout(store.redis, keySpace), (error) => {
        assert.ok(error instanceof LayoutError);
        assert.match(error.message, words);
        return true;
      });
      assert.equal(await redis.client.get(keys.layout), String(found));
    });
});

const isBatch = (entry: string) => entry.startsWith('batch:');
