import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { queueTagOf } from '@diq/contracts/queue-tag.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { derivedIds } from '../admission/request-ids.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import { createRequestList } from './list-requests.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { createRequestActions } from './request-actions.ts';
import type { RequestFilter } from './request-filter.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import type { SuiteStore } from '../test-support/use-test-store.ts';

const sources = ['soar', 'soar2', 'so', undefined] as const;
const statuses: RequestStatus[] = ['queued', 'dispatching', 'started', 'cancelled'];
const correlations: (Record<string, string> | undefined)[] = [
  { incident: 'INC-1', run: '7' },
  { incident: 'INC-1' },
  { incident: 'INC-11', run: '' },
  undefined,
];
/** Requests of the test come further apart than ids and times of requests may differ. */
const stepMs = 1_000_000;

const step = fc.oneof(
  fc.record({
    do: fc.constant('accept' as const),
    machine: fc.nat(3),
    source: fc.nat(3),
    correlation: fc.nat(3),
    priority: fc.constantFrom('high' as const, 'medium' as const),
    batch: fc.boolean(),
  }),
  fc.record({ do: fc.constantFrom('begin' as const, 'settle' as const, 'cancel' as const), one: fc.nat(50) }),
);
const filter = fc.record({
  status: fc.option(fc.subarray(statuses, { minLength: 1 }), { nil: undefined, freq: 2 }),
  correlation: fc.option(fc.nat(2), { nil: undefined, freq: 2 }),
  priority: fc.option(fc.constantFrom('high' as const, 'low' as const), { nil: undefined, freq: 1 }),
  from: fc.option(fc.nat(12), { nil: undefined, freq: 1 }),
  to: fc.option(fc.nat(25), { nil: undefined, freq: 1 }),
  machine: fc.option(fc.nat(3), { nil: undefined, freq: 2 }),
  batch: fc.option(fc.nat(10), { nil: undefined, freq: 2 }),
  source: fc.option(fc.nat(2), { nil: undefined, freq: 2 }),
  limit: fc.integer({ min: 1, max: 4 }),
});

describe('list of requests', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const list = () => createRequestList(store.redis, keySpace);

  async function pages(wanted: RequestFilter, limit: number) {
    const found: string[][] = [];
    let position: string | undefined;
    do {
      const page = await list().page(wanted, limit, position);
      found.push(page.requests.map(({ document }) => document.id));
      position = page.next;
    } while (position !== undefined);
    return found;
  }

  it('ends a page early where its requests are large, and leads on to the others', async () => {
    const correlation = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [String(n).padEnd(64, 'k'), 'v'.repeat(256)]),
    );
    const items = Array.from({ length: 300 }, (_, n) =>
      item({ machineId: machine(1 + n), comment: 'x'.repeat(4_000), correlation }),
    );
    const { accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
    const found = await pages({}, 500);
    assert.ok(
      found.length === 2 && (found[0] ?? []).length > 200,
      `pages of ${found.map((page) => page.length).join()}`,
    );
    assert.deepEqual(found.flat(), accepted.map((one) => one?.id).toReversed());
  });

  /** Beside a reading of all requests there are. */
  it('finds for every filter exactly what fits, newest first, whatever became of the requests', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 25 }),
        fc.array(filter, { minLength: 5, maxLength: 5 }),
        async (steps, filters) => {
          await redis.flush();
          const { ids, batches } = await play(store, steps);
          const all = await Promise.all(ids.map(async (id) => (await store.request(id)).document));
          for (const status of statuses) {
            const listed = await store.redis.zcard(storeKeys(keySpace).listed(status));
            assert.equal(listed, all.filter((one) => one.status === status).length, status);
          }
          for (const one of all) assert.equal(one.endedAt === undefined, isOpen(one.status), one.id);
          for (const { limit, ...wanted } of filters) {
            const asked = {
              status: wanted.status,
              correlation: wanted.correlation === undefined ? undefined : correlations[wanted.correlation],
              priority: wanted.priority,
              fromMs: wanted.from === undefined ? undefined : arrivedAtMs + wanted.from * stepMs,
              toMs: wanted.to === undefined ? undefined : arrivedAtMs + wanted.to * stepMs,
              machineId: wanted.machine === undefined ? undefined : machine(wanted.machine),
              batchId: wanted.batch === undefined ? undefined : batches[wanted.batch % batches.length],
              source: wanted.source === undefined ? undefined : sources[wanted.source],
            };
            const expected = all.filter(
              (one) =>
                (!asked.status || asked.status.includes(one.status)) &&
                (asked.machineId === undefined || one.machineId === asked.machineId) &&
                (asked.batchId === undefined || one.batchId === asked.batchId) &&
                (asked.source === undefined || one.source === asked.source) &&
                (asked.priority === undefined || one.priority === asked.priority) &&
                Object.entries(asked.correlation ?? {}).every(
                  ([key, value]) => one.correlation?.[key] === value,
                ) &&
                (asked.fromMs === undefined || Date.parse(one.createdAt) >= asked.fromMs) &&
                (asked.toMs === undefined || Date.parse(one.createdAt) < asked.toMs),
            );
            const found = await pages(asked, limit);
            assert.deepEqual(
              found.flat(),
              expected
                .map(({ id }) => id)
                .toSorted()
                .toReversed(),
            );
            assert.ok(
              found.slice(0, -1).every((page) => page.length === limit),
              JSON.stringify(found),
            );
          }
        },
      ),
      { numRuns: 25, endOnFailure: true },
    );
  });

  it('goes on behind a page as if nothing had come or moved since', async () => {
    const submit = async (n: number) =>
      (await store.intake.acceptOne(item({ machineId: machine(n) }), { nowMs: arrivedAtMs })).id;
    const ids = [await submit(1), await submit(2), await submit(3), await submit(4)];
    const first = await list().page({}, 2);
    assert.deepEqual(
      first.requests.map(({ document }) => document.id),
      [ids[3], ids[2]],
    );
    await submit(5);
    await store.tasks.begin((await store.taskOf(ids[1]!)).id, 'call-1');
    const second = await list().page({}, 2, first.next);
    assert.deepEqual(
      second.requests.map(({ document }) => [document.id, document.status]),
      [
        [ids[1], 'dispatching'],
        [ids[0], 'queued'],
      ],
    );
    assert.equal(second.next, undefined);
  });

  it('looks at a bounded number of requests for a page, and leads on where it found too few', async () => {
    const many = Array.from({ length: 2_010 }, (_, n) =>
      item({ machineId: machine(n + 1), source: n === 0 ? 'rare' : 'soar' }),
    );
    const { batchId } = await store.intake.acceptBatch(many, { nowMs: arrivedAtMs });
    const found = await pages({ batchId, source: 'rare' }, 10);
    assert.deepEqual(
      found.map((page) => page.length),
      [0, 1],
    );
    // With the source alone its own index is walked.
    assert.equal((await pages({ source: 'rare' }, 10)).length, 1);
  });

  it('finds no other pair whose key and value run together to the same text', async () => {
    const accept = (correlation: Record<string, string>) =>
      store.intake.acceptOne(item({ correlation }), { nowMs: arrivedAtMs });
    const { id } = await accept({ ab: 'c' });
    await accept({ a: 'bc' });
    assert.deepEqual(await pages({ correlation: { ab: 'c' } }, 10), [[id]]);
    assert.deepEqual(await pages({ correlation: { abc: '' } }, 10), [[]]);
  });

  it('looks through a span of time alone, however many requests are older or newer', async () => {
    const accept = async (count: number, nowMs: number) => {
      const items = Array.from({ length: count }, (_, n) => item({ machineId: machine(n) }));
      const ids = derivedIds(`at ${nowMs}`, nowMs, queueTagOf(keySpace));
      return (await store.intake.acceptBatch(items, { nowMs, ids })).accepted.map((one) => one?.id);
    };
    await accept(2_010, arrivedAtMs);
    const between = await accept(2, arrivedAtMs + stepMs);
    await accept(2_010, arrivedAtMs + 2 * stepMs);
    const span = { fromMs: arrivedAtMs + stepMs, toMs: arrivedAtMs + 1.5 * stepMs };
    for (const filter of [
      span,
      { ...span, status: ['queued' as const] },
      { ...span, priority: 'medium' as const },
    ])
      assert.deepEqual(await pages(filter, 10), [between.toReversed()]);
  });

  it('forgets requests as they go, in every index', async () => {
    const actions = createRequestActions({
      redis: store.redis,
      keySpace,
      jobs: store.jobs,
      order: defaultOrderRules,
      retentionMs: 1,
      auditKeptMs: 1_000,
    });
    const submit = async (n: number) =>
      (
        await store.intake.acceptOne(
          item({ machineId: machine(n), source: 'soar', correlation: { incident: 'INC-1', run: `${n}` } }),
          { nowMs: arrivedAtMs },
        )
      ).id;
    const gone = [await submit(1), await submit(2), await submit(3)];
    for (const id of gone) await actions.cancel(id, { name: 'anna' });
    await waitFor(async () => (await store.reader.findRequest(gone[2]!)) === undefined, {
      what: 'the retention to end',
    });
    assert.deepEqual(await pages({}, 10), [[]]);
    const kept = await submit(4);
    const task = await store.taskOf(kept);
    await store.tasks.begin(task.id, 'call-1');
    await createTaskStore(store.redis, keySpace, retentionMs).settle(task.id, 'call-1', {
      status: 'started',
      attempts: 1,
    });
    const keys = storeKeys(keySpace);
    const sizes = await Promise.all(
      [
        keys.listed('cancelled'),
        keys.listed('started'),
        keys.byMachine,
        keys.bySource,
        keys.ended,
        keys.byCorrelation,
      ].map((key) => store.redis.zcard(key)),
    );
    assert.deepEqual(sizes, [0, 1, 1, 1, 1, 2]);
  });
});

function isOpen(status: RequestStatus): boolean {
  return status === 'queued' || status === 'dispatching';
}

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function play(store: SuiteStore, steps: readonly Step[]) {
  const actions = createRequestActions({
    redis: store.redis,
    keySpace,
    jobs: store.jobs,
    order: defaultOrderRules,
    retentionMs,
    auditKeptMs: 1_000,
  });
  const ids: string[] = [];
  const batches: string[] = ['01930000-0000-7000-8000-000000000000'];
  for (const [i, one] of steps.entries()) {
    if (one.do === 'accept') {
      const source = sources[one.source];
      const correlation = correlations[one.correlation];
      const nowMs = arrivedAtMs + i * stepMs;
      const submission = { nowMs, ids: derivedIds(`step ${i}`, nowMs, queueTagOf(keySpace)) };
      const wanted = item({
        machineId: machine(one.machine),
        priority: one.priority,
        ...(correlation === undefined ? {} : { correlation }),
        ...(source === undefined ? {} : { source }),
      });
      if (one.batch) {
        const refused = { rejected: { index: 1, error: { code: 'invalid_item' as const, errors: [] } } };
        const { batchId, accepted } = await store.intake.acceptBatch([wanted, refused, wanted], submission);
        batches.push(batchId);
        ids.push(...accepted.flatMap((answer) => answer?.id ?? []));
      } else ids.push((await store.intake.acceptOne(wanted, submission)).id);
      continue;
    }
    const id = ids[one.one % Math.max(1, ids.length)];
    if (id === undefined) continue;
    const { taskId } = await store.request(id);
    if (one.do === 'begin') await store.tasks.begin(taskId, 'call-1');
    else if (one.do === 'cancel') await actions.cancel(id, { name: 'anna' });
    else await store.tasks.settle(taskId, 'call-1', { status: 'started', attempts: 1 });
  }
  return { ids, batches };
}
