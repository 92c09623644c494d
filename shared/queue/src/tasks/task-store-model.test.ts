import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus, TerminalStatus } from '@diq/contracts/status.ts';
import { useEmbeddedRedis, type SuiteRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, openTestStore } from '../test-support/test-store.ts';
import type { TestStore } from '../test-support/test-store.ts';

// What intake and workers do in any order, right or wrong, beside a model of a few lines. After every step all numbers
// that the store keeps must be what a recount over its requests gives, and every move must be answered as modelled.

type Step =
  | { do: 'acceptOne'; machine: number; deadline: Deadline; priority: Priority }
  | { do: 'acceptBatch'; machines: number[]; rejected: number }
  | { do: 'expireDue' }
  | { do: 'begin'; task: number; call: number }
  | { do: 'giveBack'; task: number; call: number }
  | { do: 'reconcile'; task: number; call: number }
  | { do: 'settle'; task: number; call: number; status: TerminalStatus }
  | { do: 'endWaiting'; task: number; status: TerminalStatus };

/** By Redis' clock, over before anything is done, or after everything was. */
type Deadline = 'none' | 'past' | 'future';

interface ModelRequest {
  id: string;
  deadline: Deadline;
  batchId: string | undefined;
  status: RequestStatus;
}
interface ModelTask {
  id: string;
  machine: number;
  state: 'waiting' | 'in_flight' | 'reconciling' | 'settled';
  calls: number;
  call: string | undefined;
  priority: Priority;
  /** Those it serves: expired ones have left. */
  requests: ModelRequest[];
}

const keys = storeKeys(keySpace);
const unresolved = { cause: 'lost', error: { code: 'call_timeout', message: 'why' } } as const;

const aMachine = fc.integer({ min: 1, max: 4 });
const aTask = fc.nat(30);
const aCall = fc.integer({ min: 1, max: 2 });
const anOutcome = fc.constantFrom<TerminalStatus>('started', 'failed', 'unknown');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('acceptOne'),
      machine: aMachine,
      deadline: fc.constantFrom<Deadline>('none', 'past', 'past', 'future'),
      priority: fc.constantFrom(...priorities),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expireDue') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('acceptBatch'),
      machines: fc.array(aMachine, { minLength: 1, maxLength: 5 }),
      rejected: fc.nat(2),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('begin'), task: aTask, call: aCall }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('giveBack'), task: aTask, call: aCall }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reconcile'), task: aTask, call: aCall }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('settle'), task: aTask, call: aCall, status: anOutcome }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('endWaiting'),
      task: aTask,
      status: fc.constantFrom<TerminalStatus>('cancelled', 'expired'),
    }),
  },
);

describe('task store beside a model', () => {
  const redis = useEmbeddedRedis();
  let store: TestStore;
  before(async () => {
    store = await openTestStore(redis.url);
  });
  after(() => store.close());

  it('keeps every count equal to a recount, and moves all requests of a task together', async function () {
    this.timeout(20_000);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await redis.flush();
        const model = createModel(store, redis);
        for (const one of steps) {
          await model.take(one);
          await model.compare();
        }
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});

const isInHand = (state: ModelTask['state']) => state === 'in_flight' || state === 'reconciling';

function createModel(store: TestStore, redis: SuiteRedis) {
  const tasks: ModelTask[] = [];
  const requests: ModelRequest[] = [];
  const batches = new Map<string, { total: number; rejected: number }>();

  async function recorded(
    id: string,
    machineNumber: number,
    { batchId, coalescedWith, deadline = 'none', priority = 'medium' }: Recorded,
  ) {
    const open = tasks.find((one) => one.machine === machineNumber && one.state !== 'settled');
    assert.equal(coalescedWith, open?.requests[0]?.id);
    const request: ModelRequest = {
      id,
      deadline,
      batchId,
      status: open && isInHand(open.state) ? 'dispatching' : 'queued',
    };
    requests.push(request);
    if (open) {
      if (priorities.indexOf(priority) < priorities.indexOf(open.priority)) open.priority = priority;
      return open.requests.push(request);
    }
    const { taskId } = await store.request(id);
    return tasks.push({
      id: taskId,
      machine: machineNumber,
      state: 'waiting',
      calls: 0,
      call: undefined,
      priority,
      requests: [request],
    });
  }

  function move(task: ModelTask, state: ModelTask['state'], status: RequestStatus, call?: string) {
    Object.assign(task, { state, call });
    for (const request of task.requests) request.status = status;
    return { moved: true };
  }

  /** Ends what is overdue. @returns whether that was all of it */
  function expire(task: ModelTask): boolean {
    const overdue = task.requests.filter(({ deadline }) => deadline === 'past');
    for (const request of overdue) request.status = 'expired';
    task.requests = task.requests.filter((request) => !overdue.includes(request));
    if (task.requests.length > 0) return false;
    task.state = 'settled';
    return true;
  }

  async function takeMove(
    one: Exclude<Step, { do: 'acceptOne' | 'acceptBatch' | 'expireDue' }>,
  ): Promise<void> {
    const task = tasks[one.task % Math.max(1, tasks.length)];
    if (!task) return;
    const { id, state } = task;
    const refused = { moved: false, state, callId: task.call };
    const repeated = { moved: true };
    if (one.do === 'endWaiting') {
      const wasEnded = state === 'settled' && task.call === undefined;
      const answer = await store.tasks.endWaiting(id, { status: one.status, attempts: 0 });
      if (state === 'waiting') assert.deepEqual(answer, move(task, 'settled', one.status));
      else assert.deepEqual(answer, wasEnded ? repeated : refused);
      return;
    }
    const call = `call-${one.call}`;
    const isOwn = task.call === call;
    if (one.do === 'begin') {
      const answer = await store.tasks.begin(id, call);
      if (state === 'waiting' && expire(task))
        assert.deepEqual(answer, { moved: false, state: 'settled', callId: undefined });
      else if (state === 'waiting') assert.deepEqual(answer, move(task, 'in_flight', 'dispatching', call));
      else assert.deepEqual(answer, state === 'in_flight' && isOwn ? repeated : refused);
    } else if (one.do === 'giveBack') {
      const answer = await store.tasks.giveBack(id, call);
      if (isInHand(state) && isOwn) assert.deepEqual(answer, move(task, 'waiting', 'queued'));
      else assert.deepEqual(answer, refused);
    } else if (one.do === 'reconcile') {
      const answer = await store.tasks.reconcile(id, call, unresolved, 1_000);
      if (state === 'in_flight' && isOwn) {
        assert.deepEqual(answer, move(task, 'reconciling', 'dispatching', call));
        task.calls += 1;
      } else assert.deepEqual(answer, state === 'reconciling' && isOwn ? repeated : refused);
    } else {
      const answer = await store.tasks.settle(id, call, { status: one.status, attempts: 1 });
      if (isInHand(state) && isOwn) {
        assert.deepEqual(answer, move(task, 'settled', one.status, call));
        if (state === 'in_flight') task.calls += 1;
      } else assert.deepEqual(answer, state === 'settled' && isOwn ? repeated : refused);
    }
  }

  return {
    async take(one: Step): Promise<void> {
      if (one.do === 'acceptOne') {
        const { id, coalescedWith } = await store.intake.acceptOne(
          item({ machineId: machine(one.machine), priority: one.priority, ...deadlineOf(one.deadline) }),
          { nowMs: arrivedAtMs },
        );
        await recorded(id, one.machine, { ...one, coalescedWith });
      } else if (one.do === 'acceptBatch') {
        const items = one.machines.map((n) => item({ machineId: machine(n) }));
        const refusals = Array.from({ length: one.rejected }, (_, index) => ({
          rejected: { index, error: { code: 'invalid_item' as const, errors: [] } },
        }));
        const { batchId, accepted } = await store.intake.acceptBatch([...refusals, ...items], {
          nowMs: arrivedAtMs,
        });
        batches.set(batchId, { total: refusals.length + items.length, rejected: refusals.length });
        for (const [i, n] of one.machines.entries()) {
          const { id, coalescedWith } = accepted[one.rejected + i]!;
          await recorded(id, n, { batchId, coalescedWith });
        }
      } else if (one.do === 'expireDue') {
        const overdue = tasks.filter(({ state }) => state === 'waiting');
        const due = overdue.flatMap(({ requests: served }) =>
          served.filter(({ deadline }) => deadline === 'past').map(({ id }) => id),
        );
        const ended = overdue.filter((task) => expire(task)).map(({ id }) => id);
        const answer = await store.tasks.expireDue();
        assert.deepEqual(new Set(answer.requestIds), new Set(due));
        assert.deepEqual(new Set(answer.ended), new Set(ended));
      } else {
        await takeMove(one);
      }
    },

    async compare(): Promise<void> {
      const stored = await Promise.all(requests.map(({ id }) => store.request(id)));
      assert.deepEqual(
        stored.map(({ document }) => document.status),
        requests.map(({ status }) => status),
      );
      for (const { calls, state, requests: served } of tasks) {
        for (const { id } of served) {
          const { document } = await store.request(id);
          const { attempts, error } = document;
          assert.deepEqual(
            [attempts, error],
            [calls, state === 'reconciling' ? unresolved.error : undefined],
          );
        }
      }
      const { counts, lookingUp, waitingTasks } = await store.reader.backlog();
      assert.deepEqual(counts, countByStatus(requests));
      const lookedUpRequests = tasks
        .filter(({ state }) => state === 'reconciling')
        .flatMap(({ requests: served }) => served);
      assert.equal(lookingUp, lookedUpRequests.length);
      const waiting = tasks.filter(({ state }) => state === 'waiting');
      const sending = tasks.filter(({ state }) => state === 'in_flight');
      const lookedUp = tasks.filter(({ state }) => state === 'reconciling').map(({ id }) => id);
      assert.deepEqual(
        (await redis.client.zrange(keys.reconciling, 0, '-1')).toSorted(),
        lookedUp.toSorted(),
      );
      assert.equal(waitingTasks, waiting.length);
      const order = await redis.client.hgetall(keys.order);
      for (const priority of priorities) {
        const ofClass = waiting.filter((task) => task.priority === priority).length;
        assert.equal(Number(order[`waiting:${priority}`] ?? 0), ofClass, priority);
      }
      assert.deepEqual(
        new Set(await redis.client.zrange(keys.deadlines, 0, '-1')),
        new Set(
          requests
            .filter(({ status, deadline }) => status === 'queued' && deadline !== 'none')
            .map(({ id }) => id),
        ),
      );
      assert.deepEqual(
        new Set(await store.tasks.inFlightSince(Number.MAX_SAFE_INTEGER, 99)),
        new Set(sending.map(({ id }) => id)),
      );
      for (const [batchId, numbers] of batches) {
        const ofBatch = requests.filter((request) => request.batchId === batchId);
        const batch = await store.reader.findBatch(batchId);
        assert.deepEqual(batch?.counts, { ...countByStatus(ofBatch), ...numbers });
        assert.equal(
          batch.isComplete,
          ofBatch.every(({ status }) => status !== 'queued' && status !== 'dispatching'),
        );
      }
    },
  };
}

interface Recorded {
  batchId?: string | undefined;
  coalescedWith?: string | undefined;
  deadline?: Deadline;
  priority?: Priority;
}

function deadlineOf(deadline: Deadline) {
  if (deadline === 'none') return {};
  const inMs = deadline === 'past' ? -60_000 : 3_600_000;
  return { notAfter: new Date(Date.now() + inMs).toISOString() };
}

function countByStatus(requests: readonly ModelRequest[]): Record<RequestStatus, number> {
  return Object.fromEntries(
    requestStatuses.map((status) => [status, requests.filter((request) => request.status === status).length]),
  ) as Record<RequestStatus, number>;
}
