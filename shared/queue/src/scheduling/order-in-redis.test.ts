import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import { defaultHeadStartMs, defaultOrderRules, flowOf, orderRules } from './order.ts';
import { createFlowCharging } from './charge-flows.ts';
import { storeKeys } from '../store-keys.ts';
import { createOrderModel } from '../test-support/order-model.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const yearMs = 365 * 24 * hourMs;
const keys = storeKeys(keySpace);

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        priority: fc.constantFrom(...priorities),
        caller: fc.constantFrom('one', 'other'),
        source: fc.integer({ min: 0, max: 2 }),
        count: fc.integer({ min: 1, max: 4 }),
        pauseMs: fc.integer({ min: 0, max: 3 * hourMs }),
      }),
    },
    { weight: 2, arbitrary: fc.constant('begin' as const) },
  ),
  { minLength: 5, maxLength: 30 },
);

describe('the order in Redis', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  let machines = 0;
  /** One request for a machine of its own. @returns its task */
  async function arrive(
    fields: Parameters<typeof item>[0],
    nowMs = arrivedAtMs,
    caller?: string,
  ): Promise<string> {
    const asked = item({ machineId: machine(machines++), ...fields });
    const { id } = await store.intake.acceptOne(asked, { nowMs, caller });
    return (await store.request(id)).taskId;
  }

  /** What a worker does with the job that is next. */
  async function begin(): Promise<string | undefined> {
    await createFlowCharging(store.redis, keySpace, store.jobs)();
    const next = await store.jobs.next();
    if (next === undefined) return undefined;
    await store.jobs.remove(next);
    assert.deepEqual(await store.tasks.begin(next, 'call'), { moved: true });
    await store.tasks.settle(next, 'call', { status: 'failed', attempts: 1 });
    return next;
  }

  it('is what its rules say, whatever arrives and is begun', async function () {
    this.timeout(10_000);
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        await redis.flush();
        let line = createOrderModel(defaultOrderRules, arrivedAtMs);
        const numbers = new Map<number, string>();
        let nowMs = arrivedAtMs;
        for (const step of given) {
          if (step === 'begin') {
            const next = line.begin();
            assert.equal(await begin(), next && numbers.get(next.number));
          } else {
            nowMs += step.pauseMs;
            if ((await redis.client.zcard(keys.waiting)) === 0)
              line = createOrderModel(defaultOrderRules, nowMs);
            const { priority, caller } = step;
            const source = step.source === 0 ? undefined : `source-${step.source}`;
            for (let i = 0; i < step.count; i += 1) {
              const expected = line.arrive(priority, flowOf(source, caller), nowMs);
              const taskId = await arrive({ priority, source }, nowMs, caller);
              numbers.set(expected.number, taskId);
              assert.equal((await store.tasks.find(taskId))?.jobPriority, expected.jobPriority);
            }
          }
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it('starts 3 machines of one source among those of one with 500', async () => {
    const bulk = Array.from({ length: 500 }, () => item({ machineId: machine(machines++), source: 'bulk' }));
    await store.intake.acceptBatch(bulk, { nowMs: arrivedAtMs });
    for (let i = 0; i < 10; i += 1) await begin();
    const few = [];
    for (let i = 0; i < 3; i += 1) few.push(await arrive({ source: 'few' }, arrivedAtMs + 2 * hourMs));
    const places = (await store.jobs.positions(few)).map(Number);
    assert.ok((places[0] ?? 0) <= 2 && (places[2] ?? 0) <= 8, places.join());
    assert.ok(
      (places[1] ?? 0) - (places[0] ?? 0) > 1 && (places[2] ?? 0) - (places[1] ?? 0) > 1,
      places.join(),
    );
  });

  it('claims one job of a caller for each interval, however many sources it names, also within one batch', async () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      item({ machineId: machine(machines++), ...(i < 20 ? {} : { source: `new-${i}` }) }),
    );
    const few = Array.from({ length: 10 }, () => item({ machineId: machine(machines++) }));
    await store.intake.acceptBatch(many, { nowMs: arrivedAtMs, caller: 'many' });
    const { accepted } = await store.intake.acceptBatch(few, { nowMs: arrivedAtMs, caller: 'few' });
    const ofFew = await Promise.all(accepted.map(async (one) => (await store.request(one!.id)).taskId));
    const begun = [];
    for (let i = 0; i < 20; i += 1) begun.push(await begin());
    assert.equal(begun.filter((id) => id !== undefined && ofFew.includes(id)).length, 10);
  });

  it('charges what comes back no second time', async () => {
    await arrive({}, arrivedAtMs, 'one');
    await arrive({}, arrivedAtMs, 'one');
    const [first = ''] = await store.jobs.nextOnes(1);
    const pass = createFlowCharging(store.redis, keySpace, store.jobs);
    await pass();
    await store.tasks.begin(first, 'call');
    await store.tasks.giveBack(first, 'call');
    const nextStart = await redis.client.zscore(keys.nextStarts('medium'), 'one');
    await pass();
    assert.equal(await store.jobs.next(), first);
    assert.equal(await redis.client.zscore(keys.nextStarts('medium'), 'one'), nextStart);
  });

  it('charges the caller who has promoted a task, and else the one who asked first', async () => {
    const shared = machine(machines++);
    await arrive({ machineId: shared, priority: 'low' }, arrivedAtMs, 'patient');
    await arrive({ machineId: shared, priority: 'high' }, arrivedAtMs, 'urgent');
    await arrive({ priority: 'low' }, arrivedAtMs, 'third');
    await begin();
    await begin();
    const nextStartOf = async (priority: string, caller: string) =>
      Number(await redis.client.zscore(keys.nextStarts(priority), caller));
    assert.ok((await nextStartOf('high', 'urgent')) > arrivedAtMs);
    assert.ok((await nextStartOf('low', 'third')) > arrivedAtMs);
    assert.equal(await nextStartOf('low', 'patient'), 0);
  });

  it('puts no caller behind the place of another one whose requests before it were cancelled', async () => {
    const nowMs = Date.now();
    const many = Array.from({ length: 400 }, () =>
      item({ machineId: machine(machines++), priority: 'medium' }),
    );
    const { accepted } = await store.intake.acceptBatch(many, { nowMs, caller: 'many' });
    for (const one of accepted.slice(0, -2)) {
      const { taskId } = await store.request(one!.id);
      await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
      await store.jobs.remove(taskId);
    }
    await begin();
    const low = await arrive({ priority: 'low' }, nowMs, 'third');
    const medium = await arrive({ priority: 'medium' }, nowMs, 'other');
    assert.equal(await store.jobs.next(), medium);
    // Nor one whose request another has made more urgent, without a better place.
    await arrive({ machineId: machine(machines - 2), priority: 'medium' }, nowMs, 'many');
    await begin();
    assert.equal(await begin(), low);
    const next = await arrive({ priority: 'medium' }, nowMs, 'third');
    await arrive({ priority: 'low' }, nowMs, 'fourth');
    assert.equal(await store.jobs.next(), next);
  });

  for (const [when, first] of [
    ['another caller joins it that has many before it', 'few'],
    ['it joins that of another caller that has many before it', 'many'],
  ] as const) {
    it(`begins a request no later when ${when}`, async () => {
      const count = 12;
      async function turnOfLast(isShared: boolean) {
        await redis.flush();
        const last = machine(machines++);
        const few = async () => {
          for (let i = 1; i < count; i += 1) await arrive({}, arrivedAtMs, 'few');
          return arrive({ machineId: last }, arrivedAtMs, 'few');
        };
        const many = async () => {
          const items = Array.from({ length: count * (count - 2) }, (_, i) =>
            item({ machineId: machine(machines++), source: `source-${Math.floor(i / count)}` }),
          );
          await store.intake.acceptBatch(items, { nowMs: arrivedAtMs, caller: 'many' });
          await arrive({ source: 'last', ...(isShared && { machineId: last }) }, arrivedAtMs, 'many');
        };
        if (first === 'many') await many();
        const taskId = await few();
        if (first === 'few') await many();
        let turn = 1;
        while ((await begin()) !== taskId) turn += 1;
        return turn;
      }
      assert.equal(await turnOfLast(false), 2 * count);
      assert.equal(await turnOfLast(true), 2 * count);
    });
  }

  it('leaves no next starts when nothing waits', async () => {
    for (const caller of ['one', 'other']) await arrive({ source: 'soar' }, arrivedAtMs, caller);
    await begin();
    await begin();
    await arrive({}, arrivedAtMs + minuteMs, 'third');
    assert.deepEqual(await redis.client.zrange(keys.nextStarts('medium'), 0, '-1'), ['third']);
    const left = await redis.client.keys(`${keySpace}:starts:*`);
    assert.deepEqual(left.toSorted(), [keys.nextStarts('medium'), keys.sourceNextStarts('medium', 'third')]);
  });

  it('starts callers by turns that name no source', async () => {
    for (let i = 0; i < 5; i += 1) {
      await store.intake.acceptOne(item({ machineId: machine(machines++) }), {
        nowMs: arrivedAtMs,
        caller: 'one',
      });
    }
    const other = item({ machineId: machine(machines++) });
    const { id } = await store.intake.acceptOne(other, { nowMs: arrivedAtMs, caller: 'other' });
    assert.deepEqual(await store.jobs.positions([(await store.request(id)).taskId]), [2]);
  });

  it('is first come first served when sources need not be fair', async () => {
    const order = orderRules({
      headStartMs: defaultHeadStartMs,
      fairSources: false,
      limit: 5,
      windowMs: hourMs,
    });
    const intake = createRequestIntake({
      redis: store.redis,
      keySpace,
      jobs: store.jobs,
      retentionMs,
      order,
    });
    const bulk = Array.from({ length: 20 }, () => item({ machineId: machine(machines++), source: 'bulk' }));
    await intake.acceptBatch(bulk, { nowMs: arrivedAtMs });
    const few = item({ machineId: machine(machines++), source: 'few' });
    const { id } = await intake.acceptOne(few, { nowMs: arrivedAtMs + minuteMs });
    assert.deepEqual(await store.jobs.positions([(await store.request(id)).taskId]), [21]);
    assert.equal(await redis.client.exists(keys.nextStarts('medium')), 0);
  });

  it('lets a critical arrival go next', async () => {
    for (const priority of priorities.slice(1)) for (let i = 0; i < 5; i += 1) await arrive({ priority });
    const urgent = await arrive({ priority: 'critical' }, arrivedAtMs + minuteMs);
    assert.equal(await store.jobs.next(), urgent);
  });

  it('keeps nothing of sources whose next starts have passed', async () => {
    await arrive({ source: 'stays' });
    for (let i = 0; i < 12; i += 1) await arrive({ source: `source-${i}` });
    for (let i = 0; i < 6; i += 1) await arrive({ source: 'late' }, arrivedAtMs + 48 * hourMs + i);
    assert.deepEqual(await redis.client.zrange(keys.sourceNextStarts('medium', ''), 0, '-1'), ['late']);
  });

  describe('its scale', () => {
    it('ends after almost four years without an empty queue: then nothing more is accepted', async () => {
      await arrive({});
      await arrive({}, arrivedAtMs + 3.8 * yearMs);
      const before = await store.dump();
      await assert.rejects(arrive({}, arrivedAtMs + 4 * yearMs), RangeError);
      assert.deepEqual(await store.dump(), before);
    });

    it('begins anew when the queue was empty', async () => {
      const first = await arrive({});
      const { jobPriority } = (await store.tasks.find(first))!;
      await begin();
      const later = await arrive({}, arrivedAtMs + 40 * yearMs);
      assert.equal((await store.tasks.find(later))?.jobPriority, jobPriority);
    });

    it('puts what lies beyond its ends at its ends', async () => {
      await arrive({});
      const early = await arrive({ priority: 'critical' }, arrivedAtMs - yearMs);
      assert.equal((await store.tasks.find(early))?.jobPriority, 1);
      assert.equal(await store.jobs.next(), early);
    });
  });
});
