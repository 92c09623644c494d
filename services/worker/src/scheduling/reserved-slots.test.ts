import assert from 'node:assert/strict';
import type { Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { criticalReserve } from './reserved-slots.ts';
import { useBench } from '../test-support/use-bench.ts';
import {
  deferred,
  hourMs,
  inTurn,
  loopWorld,
  jobNamed,
  usePollLoops,
  view,
} from '../test-support/loop-world.ts';

/** A queue in which the first job is of this class, and every other of the second. */
function reserveWith(reserveForCritical: number, next: Priority | undefined, claimed = next) {
  return criticalReserve(
    { reserveForCritical },
    {
      jobs: {
        next: async () => (next === undefined ? undefined : 'next'),
        nextOnes: async () => ['next'],
        setJobPriorities: async () => assert.fail('no job is to be moved'),
      },
      tasks: { classOf: async (id) => (id === 'next' ? next : claimed), firstOf: async () => undefined },
    },
  );
}

/** Reports the job that it was given and never ends, so that the loop stands still. */
function standStill(report: (taskId: string) => void) {
  return ({ taskId }: { taskId: string }) => {
    report(taskId);
    return new Promise<void>(() => undefined);
  };
}

describe('slots kept for critical requests', () => {
  const { start } = usePollLoops();

  it('stay free while no critical request is next, and count neither as idle nor as a standstill', async () => {
    const turns = deferred();
    let left = 3;
    const idle: number[] = [];
    const { events, options } = loopWorld(reserveWith(1, 'high'));
    const loop = start({
      ...options,
      onIdle: (seconds) => idle.push(seconds),
      onTurn: () => --left === 0 && turns.resolve(),
    });
    await turns.promise;
    assert.deepEqual(events, []);
    assert.deepEqual([idle, loop.stalledForMs()], [[], 0]);
  });

  it('go to critical requests', async () => {
    const served = deferred<string>();
    const { options } = loopWorld(reserveWith(1, 'critical'));
    start({ ...options, serve: standStill((id) => served.resolve(id)) });
    assert.equal(await served.promise, 'job-1');
  });

  it('are given back, with the job, when another worker drew the critical one', async () => {
    const back = deferred<string>();
    const { events, options } = loopWorld(reserveWith(1, 'critical', 'high'));
    const claim = async () => ({ ...jobNamed('ordinary'), release: async () => back.resolve('ordinary') });
    start({ ...options, claim, serve: async () => assert.fail('not to be served') });
    assert.equal(await back.promise, 'ordinary');
    assert.ok(events.includes('release'));
  });

  it('are none of the others: those go to any request', async () => {
    const served = deferred();
    const { options } = loopWorld(reserveWith(1, 'low'));
    const two = { ...view(), limits: oneLimit(2, hourMs) };
    start({ ...options, snapshot: inTurn(two), serve: standStill(() => served.resolve()) });
    await served.promise;
  });

  it('are none by default', async () => {
    const served = deferred();
    const { options } = loopWorld(reserveWith(0, 'low'));
    start({ ...options, serve: standStill(() => served.resolve()) });
    await served.promise;
  });
});

describe('a slot kept for critical requests, on the queue', () => {
  const suite = useBench(useEmbeddedRedis());

  it('goes to the critical request behind one that was moved to the head, which keeps its place behind it', async () => {
    const { bench } = suite;
    const worker = await suite.openWorker();
    const [moved, other] = [
      await bench.accept({ priority: 'low' }),
      await bench.accept({ priority: 'high' }),
    ];
    await worker.jobs.setJobPriorities([{ taskId: moved.taskId, jobPriority: 900 }]);
    const { isCriticalNext, isCritical } = criticalReserve({ reserveForCritical: 1 }, worker);
    assert.equal(await isCriticalNext(), false);
    assert.deepEqual(await worker.jobs.nextOnes(9), [moved.taskId, other.taskId]);

    const critical = await bench.accept({ priority: 'critical' });
    assert.equal(await worker.jobs.next(), moved.taskId);
    assert.equal(await isCriticalNext(), true);
    const order = [critical.taskId, moved.taskId, other.taskId];
    assert.deepEqual(await worker.jobs.nextOnes(9), order);
    const job = await worker.claimer.claim();
    assert.ok(job && (await isCritical(job)));
    assert.equal(await worker.serve(job), 'kept');
    assert.equal((await bench.read(critical.requestId)).status, 'started');
    assert.equal(await isCriticalNext(), false);
  });
});
