import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { priorities, type Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createLookStore } from './look-store.ts';
import { createOfflineTasks } from './offline-tasks.ts';
import { createRunningTasks } from './running-tasks.ts';

const keys = storeKeys(keySpace);
const hourMs = 3_600_000;

describe('tasks whose machine is offline', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  const looks = () => createLookStore(store.redis, keySpace, retentionMs);
  const offline = (calledAnywayMs = hourMs) =>
    createOfflineTasks(store.redis, keySpace, { betweenLooksMs: 0, calledAnywayMs });
  const takeAll = { wants: { machine: true, cover: false }, slots: 20, reserve: 0, enough: 21 };

  async function accept(number: number, priority: Priority = 'medium') {
    const asked = item({ machineId: machine(number), priority });
    const { accepted } = await store.intake.acceptBatch([asked], { nowMs: arrivedAtMs });
    const { taskId } = await store.request(accepted[0]?.id ?? '');
    return taskId;
  }

  /** As the worker does it: a look at all that wait in the order, or at all that are put aside. */
  async function look(from: 'order' | 'aside', isOffline: (taskId: string) => boolean, putsAside = true) {
    const { lookId, tasks } = await (from === 'order' ? looks().take(takeAll) : looks().takeOffline());
    const seen = tasks.map(({ id: taskId }) => {
      const warnings = isOffline(taskId) ? (['machine_offline'] as const) : [];
      return { taskId, warnings, isUncovered: false };
    });
    const { aside, back } = await looks().record(lookId, seen, { putsAside });
    await store.jobs.removeAll(aside);
    await store.jobs.add(back);
    return tasks.map(({ id }) => id);
  }
  const takeBack = async (isIdle: boolean, { most, calledAnywayMs }: Bounds = {}) => {
    const back = await offline(calledAnywayMs).takeBack({ isIdle, most });
    await store.jobs.add(back);
    return back.map(({ taskId }) => taskId);
  };
  interface Bounds {
    most?: number;
    calledAnywayMs?: number;
  }
  /** Time goes by: the last look at machines counts no more. */
  const forget = (taskId: string) => store.redis.hdel(keys.task(taskId), 'seenMachine');
  const inOrder = () => store.redis.zrange(keys.jobOrder, 0, '-1');

  it('leave the queue for others, and come back to their place when the machine reports', async () => {
    const [first, second, third] = [await accept(1), await accept(2), await accept(3)];
    const before = await inOrder();
    await look('order', (id) => id === first);
    assert.deepEqual(await inOrder(), [second, third]);
    assert.deepEqual(await offline().areAside([first, second]), [true, false]);
    assert.deepEqual(await look('aside', () => true), [], 'looked at just now');
    await forget(first);
    await look('aside', () => true);
    assert.equal(await offline().count(), 1);
    await forget(first);
    await look('aside', () => false);
    assert.deepEqual([await inOrder(), await offline().count()], [before, 0]);
  });

  it('stay in the queue where nothing is kept from others', async () => {
    const taskId = await accept(1);
    await look('order', () => true, false);
    assert.deepEqual([await inOrder(), await offline().count()], [[taskId], 0]);
  });

  it('are called all the same when they are critical, moved to the head, or were put aside long ago', async () => {
    const critical = await accept(1, 'critical');
    await look('order', () => true);
    assert.deepEqual(await inOrder(), [critical]);

    const [raised, moved, old] = [await accept(2), await accept(3), await accept(4)];
    await look('order', () => true);
    assert.deepEqual([await inOrder(), await takeBack(false)], [[critical], []]);
    await accept(2, 'critical');
    await store.redis.hset(keys.task(moved), 'head', '{"by":"operator"}');
    assert.deepEqual((await takeBack(false)).toSorted(), [raised, moved].toSorted());
    assert.deepEqual(await takeBack(false, { calledAnywayMs: 0 }), [old]);
    assert.equal(await offline().count(), 0);
    for (const taskId of [raised, moved, old]) await forget(taskId);
    await look('order', () => true);
    assert.equal((await inOrder()).length, 4, 'and are not put aside again');
  });

  it('are called, the most urgent first, for as many as there is room', async () => {
    const low = await accept(1, 'low');
    const high = await accept(2, 'high');
    const medium = await accept(3);
    await look('order', () => true);
    assert.deepEqual(await takeBack(true, { most: 2 }), [high, medium]);
    assert.deepEqual(await offline().areAside([low]), [true]);
    assert.deepEqual(await takeBack(true, { most: 2 }), [], 'they wait for their calls');
    await store.tasks.begin(high, 'call');
    assert.deepEqual(await takeBack(true, { most: 2 }), [], 'one of them is called');
    await store.redis.zrem(keys.inFlight, high);
    assert.deepEqual(await takeBack(false, { most: 2 }), [], 'another one waits');
    assert.deepEqual(await takeBack(true, { most: 2 }), [low]);
  });

  it('are no more than their part of the room, critical ones and those that waited for long included', async () => {
    const tasks = [await accept(1), await accept(2), await accept(3)];
    await look('order', () => true);
    await accept(2, 'critical');
    assert.deepEqual(await takeBack(true, { most: 2, calledAnywayMs: 0 }), [tasks[1], tasks[0]]);
    assert.deepEqual(await takeBack(true, { most: 2, calledAnywayMs: 0 }), []);
    assert.deepEqual(await offline().areAside(tasks), [false, false, true]);

    // The machine of one of them reports: it holds no place of these.
    await forget(tasks[0] ?? '');
    await look('order', () => false);
    assert.deepEqual(await takeBack(false, { most: 2, calledAnywayMs: 0 }), [tasks[2]]);
  });

  it('stay aside for want of room though they are critical, and another look changes nothing', async () => {
    const critical = await accept(1, 'critical');
    await look('order', () => true);
    const room = createRunningTasks(store.redis, keySpace, { calls: 5, offlineCalls: 0 });
    assert.equal(await room.takeRoom(critical, 1_000), 'offline');
    await store.jobs.removeAll([critical]);
    await forget(critical);
    await look('aside', () => true);
    assert.deepEqual([await offline().areAside([critical]), await inOrder()], [[true], []]);
    assert.deepEqual(await takeBack(false, { most: 1 }), [critical]);
  });

  it('are forgotten when they are cancelled or called meanwhile', async () => {
    const [cancelled, called] = [await accept(1), await accept(2)];
    await look('order', () => true);
    await store.tasks.endWaiting(cancelled, { status: 'cancelled', attempts: 0 });
    await store.tasks.begin(called, 'call');
    assert.deepEqual([await takeBack(false), await offline().count()], [[], 0]);
  });

  it('always have a job or are put aside, and what has a job stands by its job priority, whatever happens', async () => {
    type Step =
      | { do: 'accept'; priority: Priority }
      | { do: 'look'; offline: number[] }
      | { do: 'lookAside'; offline: number[] }
      | { do: 'takeBack'; most: number; isLongAgo: boolean }
      | { do: 'cancel'; task: number }
      | { do: 'begin'; task: number };
    const machines = fc.array(fc.nat(5), { maxLength: 4 });
    const step: fc.Arbitrary<Step> = fc.oneof(
      fc.record({ do: fc.constant('accept'), priority: fc.constantFrom(...priorities) }),
      fc.record({ do: fc.constant('look'), offline: machines }),
      fc.record({ do: fc.constant('lookAside'), offline: machines }),
      fc.record({ do: fc.constant('takeBack'), most: fc.nat(2), isLongAgo: fc.boolean() }),
      fc.record({ do: fc.constant('cancel'), task: fc.nat(5) }),
      fc.record({ do: fc.constant('begin'), task: fc.nat(5) }),
    );
    interface Model {
      /** Called with its machine offline. */
      isOut?: boolean;
      isSilent?: boolean;
      isCritical: boolean;
      state: 'ready' | 'aside' | 'gone';
      wasCalledFor: boolean;
    }

    async function play(steps: readonly Step[]): Promise<void> {
      await redis.flush();
      const model = new Map<string, Model>();
      const nth = (number: number) => [...model.keys()][number % Math.max(1, model.size)];
      for (const [i, one] of steps.entries()) {
        if (one.do === 'accept') {
          const isCritical = one.priority === 'critical';
          const taskId = await accept(i, one.priority);
          model.set(taskId, { isCritical, state: 'ready', wasCalledFor: false });
        } else if (one.do === 'look' || one.do === 'lookAside') {
          const isOffline = (taskId: string) => one.offline.some((number) => nth(number) === taskId);
          for (const taskId of model.keys()) await store.redis.hdel(keys.task(taskId), 'seenMachine');
          await look(one.do === 'look' ? 'order' : 'aside', isOffline);
          for (const [taskId, task] of model) {
            const { state, isCritical, wasCalledFor } = task;
            if (state !== (one.do === 'look' ? 'ready' : 'aside')) continue;
            task.isSilent = isOffline(taskId);
            task.state = isOffline(taskId) && !isCritical && !wasCalledFor ? 'aside' : 'ready';
            if (!isOffline(taskId)) task.wasCalledFor = false;
          }
        } else if (one.do === 'takeBack') {
          const { most, isLongAgo } = one;
          const back = await takeBack(true, { most, calledAnywayMs: isLongAgo ? 0 : hourMs });
          const aside = [...model].filter(([, { state }]) => state === 'aside').length;
          const waitBack = [...model].filter(
            ([, { state, wasCalledFor }]) => state === 'ready' && wasCalledFor,
          );
          const { length: called } = [...model].filter(([, { state, isOut }]) => state === 'gone' && isOut);
          assert.equal(back.length, Math.max(0, Math.min(most - waitBack.length - called, aside)));
          for (const taskId of back)
            Object.assign(model.get(taskId) ?? {}, { state: 'ready', wasCalledFor: true });
        } else {
          const taskId = nth(one.task);
          const task = taskId === undefined ? undefined : model.get(taskId);
          if (taskId === undefined || task === undefined || task.state === 'gone') continue;
          if (one.do === 'begin') await store.tasks.begin(taskId, 'call');
          else await store.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
          await store.jobs.removeAll([taskId]);
          task.isOut = one.do === 'begin' && task.isSilent === true;
          task.state = 'gone';
        }
        const idsIn = (state: Model['state']) =>
          [...model].filter(([, task]) => task.state === state).map(([taskId]) => taskId);
        const places = await store.tasks.jobPrioritiesOf(idsIn('ready'));
        const priorityOf = new Map(places.map(({ taskId, jobPriority }) => [taskId, jobPriority]));
        const ordered = await inOrder();
        assert.deepEqual(ordered.toSorted(), idsIn('ready').toSorted());
        assert.deepEqual(
          ordered.map((taskId) => priorityOf.get(taskId)),
          ordered.map((taskId) => priorityOf.get(taskId)).toSorted((a = 0, b = 0) => a - b),
        );
        const areAside = await offline().areAside(idsIn('aside'));
        assert.ok(areAside.every(Boolean));
      }
      // Nothing that waits is lost.
      await takeBack(true);
      assert.equal(
        (await inOrder()).length,
        [...model.values()].filter(({ state }) => state !== 'gone').length,
      );
      assert.equal(await offline().count(), 0);
    }

    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), play), { numRuns: 25 });
  });
});
