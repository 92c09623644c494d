import { createRateStore } from '../../../services/intake-api/src/http/middleware/limit-rate.ts';
import { createCallbackQueue } from '../../../services/intake-api/src/callbacks/callback-queue.ts';
import { createCallbackStore } from '../../../services/intake-api/src/callbacks/callback-store.ts';
import { createJobClaimer } from '../../../services/worker/src/scheduling/job-claimer.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { createAcceptChunk } from '@diq/queue/admission/accept-chunk.ts';
import { newRequest } from '@diq/queue/admission/new-request.ts';
import { createBacklogRoom } from '@diq/queue/admission/backlog-reservation.ts';
import { createIdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { freshIds } from '@diq/queue/admission/request-ids.ts';
import { openBatch, refuseInBatch, sealBatch } from '@diq/queue/batches/batch-record.ts';
import { createAuditLog } from '@diq/queue/operations/audit-log.ts';
import { createPromoteAhead } from '@diq/queue/machine-order/promote-ahead.ts';
import { createPurge } from '@diq/queue/operations/purge.ts';
import { createBulkCancel } from '@diq/queue/requests/bulk-cancel.ts';
import { digestsOf } from '@diq/queue/requests/correlation-digest.ts';
import { createRequestActions } from '@diq/queue/requests/request-actions.ts';
import { createFlowCharging } from '@diq/queue/scheduling/charge-flows.ts';
import { defaultOrderRules, flowOf } from '@diq/queue/scheduling/order.ts';
import { createJobRepositioning } from '@diq/queue/scheduling/job-queue.ts';
import { storeKeys } from '@diq/queue/store-keys.ts';
import { createNameStore } from '@diq/queue/tasks/name-store.ts';
import { createLookStore } from '@diq/queue/tasks/look-store.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '@diq/queue/test-support/test-store.ts';
import { createRunningTasks } from '@diq/queue/tasks/running-tasks.ts';
import { createOfflineTasks } from '@diq/queue/tasks/offline-tasks.ts';
import { createBlockedTasks } from '@diq/queue/tasks/blocked-tasks.ts';
import type { SuiteStore } from '@diq/queue/test-support/use-test-store.ts';
import { byMachineAlone } from '@diq/queue/admission/sharing.ts';

/** What a step of a request's life needs: a store, and whom to tell what it is that the step does. */
export interface Life {
  readonly url: string;
  readonly store: SuiteStore;
  /** Runs this as part of the step; everything else only prepares it. */
  step(act: () => Promise<unknown>): Promise<void>;
}

const keys = storeKeys(keySpace);
const order = { ...defaultOrderRules, intervalMs: 600_000 };
const rules = {
  order,
  reuseWindowMs: 3_600_000,
  sharing: byMachineAlone,
  maxJoined: 5,
  maxJoinedOfCaller: 5,
  retentionMs,
};
const bounds = { requests: 100, tasks: 100, ofCaller: 100, bytesOfCaller: 1_000_000 };
const caller = 'soar';
const callbackUrl = 'https://soar.example/batch';
const actor = { name: 'anna', reason: 'drill' };
const error = { code: 'call_timeout', message: 'why' } as const;
const started = { status: 'started', result: { kind: 'investigation', id: '7' }, attempts: 1 } as const;
const unresolved = { cause: 'lost', error } as const;
/** Everything that leaves something in Redis. */
const full = {
  source: 'edr',
  correlation: { incident: 'INC-1' },
  notAfter: '2999-01-01T00:00:00Z',
  callbackUrl: 'https://soar.example/one',
};
const past = { notAfter: '2026-01-01T00:00:00Z' };

/** Accepts one request as a batch of its own; returns its id and those of batch and task. */
async function accept({ store }: Life, fields: Partial<InvestigationItem> = {}, nowMs = arrivedAtMs) {
  const asked = item({ ...full, ...fields });
  const { batchId, accepted } = await store.intake.acceptBatch([asked], { nowMs, caller, callbackUrl });
  const id = accepted[0]?.id ?? '';
  return { id, batchId, taskId: (await store.request(id)).taskId };
}

const room = ({ store }: Life) => createBacklogRoom(store.redis, keySpace);
const attempt = ({ store }: Life, key = 'key') =>
  createIdempotencyStore(store.redis, keySpace, { leaseMs: 1_000, keepMs: 60_000 }).attempt(key, caller);
const actions = ({ store }: Life) =>
  createRequestActions({
    redis: store.redis,
    keySpace,
    jobs: store.jobs,
    order,
    retentionMs,
    auditKeptMs: 60_000,
  });

const refusal = {
  rejected: { index: 0, machineId: machine(1), error: { code: 'too_many_joined' as const, errors: [] } },
};

/** The steps as shared/queue/README.md names them, each done in every way that meets other keys. */
export const lifeSteps: readonly [name: string, run: (life: Life) => Promise<void>][] = [
  [
    'Let it in',
    async (life) => {
      const rate = createRateStore(life.store.redis, 60_000);
      await life.step(async () => rate.increment(caller));
      await life.step(() => attempt(life).claim('digest', arrivedAtMs));
      await life.step(() => attempt(life).claim('digest', arrivedAtMs));
    },
  ],
  [
    'Keep room for a batch',
    async (life) => {
      await life.step(() => room(life).keep(2, bounds, 'batch-1', caller, 4_000));
      await storedThatIsOver(life);
      await life.step(() => room(life).keep(2, bounds, 'batch-2', caller, 4_000));
    },
  ],
  [
    'Open the batch',
    async (life) => {
      await life.step(() => open(life, 'batch-1', ['request-1']));
      await life.step(() => open(life, 'batch-1', ['request-1']));
    },
  ],
  ['Record it', recordIt],
  [
    'Add its job',
    async (life) => {
      const { taskId } = await accept(life);
      await life.store.jobs.remove(taskId);
      await life.step(() => life.store.jobs.add([{ taskId, jobPriority: 7 }]));
      const other = await accept(life, { machineId: machine(2) });
      await life.store.jobs.remove(other.taskId);
      await life.step(() => life.store.jobs.addOne({ taskId: other.taskId, jobPriority: 8 }));
      await life.step(() =>
        createJobRepositioning(life.store.redis, keySpace, life.store.jobs)([{ taskId, jobPriority: 7 }]),
      );
    },
  ],
  [
    'Seal and answer',
    async (life) => {
      const { redis } = life.store;
      const kept = await room(life).keep(1, bounds, 'batch-1', caller, 4_000);
      await open(life, 'batch-1', ['request-1']);
      await life.step(() => refuseInBatch(redis, keySpace, 'batch-1', [refusal]));
      await life.step(() => sealBatch(redis, keySpace, { batchId: 'batch-1', retentionMs }));
      await life.step(async () => kept.kind === 'kept' && kept.giveBack());
      const first = attempt(life);
      await first.claim('digest', arrivedAtMs);
      await life.step(() => first.renew());
      await life.step(() => first.store(Buffer.from('answer')));
      const second = attempt(life, 'second');
      await second.claim('digest', arrivedAtMs);
      await life.step(() => second.forget());
    },
  ],
  [
    'Change it while it waits',
    async (life) => {
      const { id } = await accept(life, { priority: 'low' });
      await accept(life, { machineId: machine(2), source: 'other' });
      await life.step(() => actions(life).change(id, { priority: 'high' }, actor));
      await life.step(() => actions(life).change(id, { priority: 'low', notAfter: null }, actor));
      await life.step(() => actions(life).change(id, { notAfter: full.notAfter }, actor));
      await life.step(() => actions(life).moveToHead(id, actor));
    },
  ],
  [
    'End it without a call',
    async (life) => {
      const { store } = life;
      const one = await accept(life);
      await accept(life);
      await goneByNow(life);
      await life.step(() => actions(life).cancel(one.id, actor));
      const audit = createAuditLog(store.redis, keySpace, 60_000);
      const about = { redis: store.redis, keySpace, jobs: store.jobs, audit, retentionMs };
      const within = { budgetMs: 5_000 };
      await life.step(() => createBulkCancel(about).cancel({ source: full.source }, actor, within));
      await accept(life, past);
      await life.step(async () => store.jobs.removeAll((await store.tasks.expireDue()).ended));
      const overdue = await accept(life, past);
      await life.step(() => store.tasks.endWaiting(overdue.taskId, { status: 'expired', attempts: 0 }));
    },
  ],
  [
    'Find out its machine',
    async (life) => {
      const { store } = life;
      const names = createNameStore(store.redis, keySpace, { retentionMs });
      const named = (machineName: string) => accept(life, { machineId: undefined, machineName });
      const byId = await accept(life);
      await store.tasks.begin(byId.taskId, 'call-1');
      for (const name of ['one', 'one', 'other', 'unknown']) await named(name);
      await goneByNow(life);
      await life.step(async () => {
        const { lookId, tasks } = await names.take();
        const idOf = (name: string) => tasks.find((task) => task.name === name)?.id ?? '';
        await names.resolve(idOf('one'), lookId, machine(1));
        const found = await names.resolve(idOf('other'), lookId, machine(2));
        if (found.kind === 'resolved') await store.jobs.add([found]);
        const failed = { status: 'failed', error, attempts: 0 } as const;
        await store.tasks.endLooked(idOf('unknown'), failed, { lookId, saving: 'machine_unknown' });
      });
    },
  ],
  [
    'Look ahead of its call',
    async (life) => {
      const { store } = life;
      const looks = createLookStore(store.redis, keySpace, retentionMs);
      const query = { wants: { machine: true, cover: true }, slots: 3, reserve: 0, enough: 3 };
      for (const n of [1, 2, 3]) await accept(life, { machineId: machine(n) });
      await accept(life);
      await goneByNow(life);
      await life.step(async () => {
        const { lookId, tasks } = await looks.take(query);
        const [unknown, covered, kept] = tasks.map(({ id }) => id);
        const failed = { status: 'failed', error, attempts: 0 } as const;
        await store.tasks.endLooked(unknown ?? '', failed, { lookId, saving: 'machine_unknown' });
        await store.tasks.endLooked(
          covered ?? '',
          { ...started, attempts: 0 },
          { lookId, saving: 'already_covered' },
        );
        await store.jobs.removeAll([unknown ?? '', covered ?? '']);
        const seen = { taskId: kept ?? '', warnings: ['machine_offline'] as const, isUncovered: true };
        const { aside } = await looks.record(lookId, [seen], { putsAside: true });
        await store.jobs.removeAll(aside);
        await store.jobs.add(
          await createOfflineTasks(store.redis, keySpace, { betweenLooksMs: 0 }).takeBack({
            most: 1,
            isIdle: true,
          }),
        );
      });
    },
  ],
  [
    'Claim it',
    async (life) => {
      const { store } = life;
      await accept(life);
      await accept(life, { machineId: machine(2), source: 'other' });
      const claimer = createJobClaimer({
        redis: store.redis,
        keySpace,
        lockMs: 60_000,
        chargeFlows: createFlowCharging(store.redis, keySpace, store.jobs),
        onError() {},
      });
      await life.step(async () => {
        const job = await claimer.claim();
        await store.tasks.find(job?.taskId ?? '');
        await job?.release();
      });
      const blocked = createBlockedTasks(store.redis, keySpace);
      const [taskId = ''] = await store.tasks.waitingPage(0, 1);
      await life.step(() => blocked.block(taskId));
      await life.step(() => blocked.list(10, 0));
      await life.step(() => blocked.unblock([taskId]));
      const behind = { priority: 'critical', flow: flowOf('', caller), requestId: 'behind' } as const;
      const promote = createPromoteAhead(store.redis, keySpace, store.jobs);
      await life.step(() => promote([{ key: machine(2), virtualStartMs: arrivedAtMs, ...behind }]));
      await life.step(async () => (await claimer.claim())?.complete());
      await claimer.close();
    },
  ],
  [
    'Begin the call',
    async (life) => {
      const { store } = life;
      const { taskId } = await accept(life);
      await accept(life, past);
      const running = createRunningTasks(store.redis, keySpace, { calls: 1, offlineCalls: 1 });
      await life.step(() => running.takeRoom(taskId, 1_000));
      await life.step(() => store.tasks.begin(taskId, 'call-1'));
      await life.step(() => running.leaveRoom(taskId));
      const other = await accept(life, { ...past, machineId: machine(2) });
      await goneByNow(life);
      await life.step(() => store.tasks.begin(other.taskId, 'call-2'));
    },
  ],
  [
    'Store the outcome',
    async (life) => {
      const { store } = life;
      const { taskId } = await accept(life);
      await accept(life);
      await store.tasks.begin(taskId, 'call-1');
      await life.step(() => store.tasks.giveBack(taskId, 'call-1'));
      await store.tasks.begin(taskId, 'call-2');
      await goneByNow(life);
      await life.step(() => store.following.settle(taskId, 'call-2', started));
      const lost = await accept(life, { machineId: machine(2) });
      await store.tasks.begin(lost.taskId, 'call-3');
      await life.step(() => store.tasks.reconcile(lost.taskId, 'call-3', unresolved, 1_000));
    },
  ],
  [
    'Look up a lost answer',
    async (life) => {
      const { store } = life;
      const { taskId } = await loseAnswer(life, 1);
      await goneByNow(life);
      await life.step(() => store.tasks.takeDue(60_000));
      await life.step(() => store.tasks.find(taskId));
      await life.step(() => store.tasks.reportedOf(machine(1)));
      await life.step(() => store.tasks.rescheduleQuery(taskId, 'call-1', arrivedAtMs));
      await life.step(() => store.following.settle(taskId, 'call-1', started));
      const again = await loseAnswer(life, 2);
      await life.step(async () => {
        await store.tasks.giveBack(again.taskId, 'call-2');
        await store.jobs.add([{ taskId: again.taskId, jobPriority: 7 }]);
      });
    },
  ],
  [
    'Follow the result to its end',
    async (life) => {
      const { store } = life;
      const { taskId } = await accept(life);
      await accept(life);
      await store.following.begin(taskId, 'call-1');
      await store.following.settle(taskId, 'call-1', started);
      await shareResult(life);
      await life.step(async () => store.results.due(0, 10));
      const seen = { state: 'Running', startedAtMs: arrivedAtMs };
      await life.step(() => store.results.note([{ taskId, nextReadAtMs: 0, wasRead: true, seen }]));
      await life.step(() => store.results.end(taskId, { outcome: 'succeeded', wasRead: true }));
    },
  ],
  [
    'Call back',
    async (life) => {
      const { store } = life;
      const { id, batchId, taskId } = await accept(life);
      await store.tasks.begin(taskId, 'call-1');
      await store.tasks.settle(taskId, 'call-1', started);
      const targets = [
        { kind: 'request', id },
        { kind: 'batch', id: batchId },
      ] as const;
      const rate = { limit: 1, windowMs: 60_000 };
      const source = { keySpace, reader: store.reader };
      const callbacks = createCallbackStore({ redis: store.redis, keySpace, sourceOf: () => source, rate });
      const queue = createCallbackQueue(store.redis, keySpace, () => {});
      await life.step(async () => {
        const taken = await callbacks.takeDue(source, 10, 60_000);
        await queue.add(targets);
        await callbacks.endMove(source, taken);
        for (const target of targets) {
          await callbacks.findNews(target);
          await callbacks.takeTurn('soar.example', target.id, 0, caller);
          const delivery = { about: '1', state: 'delivered', attempts: 1 } as const;
          await callbacks.record(target, { ...delivery, firstAttemptAtMs: 1, lastAttemptAtMs: 1 });
        }
      });
      await queue.close();
    },
  ],
  [
    'Delete it',
    async (life) => {
      const { store } = life;
      const gone = await accept(life);
      await accept(life);
      await store.following.begin(gone.taskId, 'call-1');
      await store.following.settle(gone.taskId, 'call-1', started);
      await shareResult(life);
      const alone = await accept(life, { machineId: machine(2) });
      await store.following.begin(alone.taskId, 'call-2');
      await store.following.settle(alone.taskId, 'call-2', started);
      const audit = createAuditLog(store.redis, keySpace, 60_000);
      const { purge } = createPurge({ redis: store.redis, keySpace, audit, retentionMs });
      await life.step(() => purge({ caller }, actor, { budgetMs: 5_000 }));
    },
  ],
];

/** New and joined, of a task that waits, that is called and that is looked up; one that shares what was started before. */
async function recordIt(life: Life): Promise<void> {
  const { store } = life;
  const chunks = createAcceptChunk(store.redis, keySpace, rules);
  const record = (fields: Partial<InvestigationItem>, batchId?: string) => {
    const ids = freshIds('00000000');
    const about = { ids, index: 0, caller, trace: undefined, sharing: byMachineAlone };
    const requests = [newRequest(item({ ...full, ...fields }), arrivedAtMs, about)];
    const chunk = { requests, nowMs: arrivedAtMs, caller, bounds };
    return chunks.accept(batchId === undefined ? chunk : { ...chunk, batchId });
  };
  await open(life, 'batch-1', ['request-1']);
  await room(life).keep(1, bounds, 'batch-1', caller, 4_000);
  await storedThatIsOver(life);
  await life.step(() => record({}, 'batch-1'));
  await life.step(() => record({ priority: 'critical' }, 'batch-1'));
  const [taskId = ''] = await store.tasks.waitingPage(0, 1);
  await store.tasks.begin(taskId, 'call-1');
  await life.step(() => record({}));
  await store.tasks.reconcile(taskId, 'call-1', unresolved, 1_000);
  await life.step(() => record({}));
  await store.following.settle(taskId, 'call-1', started);
  await goneByNow(life);
  await life.step(() => record({}));
  await life.step(() => record({ machineId: undefined, machineName: 'pc-1' }));
}

/** A request that shares what was started for another one. */
async function shareResult({ store }: Life): Promise<void> {
  const about = { ids: freshIds('00000000'), index: 0, caller, trace: undefined, sharing: byMachineAlone };
  const requests = [newRequest(item(full), arrivedAtMs, about)];
  const chunk = { requests, nowMs: arrivedAtMs, caller, bounds };
  await createAcceptChunk(store.redis, keySpace, rules).accept(chunk);
}

function open({ store }: Life, batchId: string, items: readonly string[]): Promise<void> {
  const about = { batchId, nowMs: arrivedAtMs, items, rejected: 0, retentionMs, caller, callbackUrl };
  return openBatch(store.redis, keySpace, about);
}

/** Bytes of this caller that Redis has deleted by now: the next that counts takes them back. */
async function storedThatIsOver({ store }: Life): Promise<void> {
  await store.redis.hset(`${keys.stored}:1`, caller, 1);
  await store.redis.zadd(`${keys.stored}:times`, 1, 1);
}

/** A request whose retention is over: the next that ends takes it out of the indexes. */
async function goneByNow({ store }: Life): Promise<void> {
  await store.redis.zadd(
    keys.ended,
    1,
    `gone:started:${machine(99)}+${digestsOf(full.correlation)}:${full.source}`,
  );
}

async function loseAnswer(life: Life, number: number) {
  const { store } = life;
  const accepted = await accept(life, { machineId: machine(number) });
  const callId = `call-${number}`;
  await store.tasks.begin(accepted.taskId, callId);
  await store.tasks.reconcile(accepted.taskId, callId, unresolved, 0);
  await store.jobs.remove(accepted.taskId);
  return accepted;
}
