import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createJobClaimer } from './job-claimer.ts';
import { useBench } from '../test-support/use-bench.ts';
import type { TestWorker } from '../test-support/open-test-worker.ts';

describe('job claimer', () => {
  const suite = useBench(useEmbeddedRedis());

  /** As maintenance does it while jobs are claimed. */
  async function claimBack({ claimer }: TestWorker) {
    await claimer.bringBack();
    return claimer.claim();
  }

  function active(): Promise<string[]> {
    return suite.bench.redis.lrange(suite.bench.queueKey('active'), 0, -1);
  }

  it('claims the most urgent job at that moment, and nothing when there is none', async () => {
    const worker = await suite.openWorker();
    assert.equal(await worker.claimer.claim(), undefined);
    const low = await suite.bench.accept({ priority: 'low' });
    const critical = await suite.bench.accept({ priority: 'critical' });
    const claimed = [await claimFrom(worker), await claimFrom(worker)].map(({ taskId }) => taskId);
    assert.deepEqual(claimed, [critical.taskId, low.taskId]);
    assert.equal(await worker.claimer.claim(), undefined);
  });

  it('opens nothing before something is claimed, and claims nothing once it is closed', async () => {
    const worker = await suite.openWorker();
    const { redis, keySpace } = suite.bench;
    await suite.bench.accept();
    const listening = () => redis.listenerCount('error');
    const before = listening();
    let charge = (): void => undefined;
    const charged = new Promise<void>((resolve) => (charge = resolve));
    const onError = (error: unknown) => assert.fail(String(error));
    const about = { redis, keySpace, lockMs: 10_000, onError, chargeFlows: () => charged };
    const [closed, open] = [createJobClaimer(about), createJobClaimer(about)];
    const claiming = closed.claim();
    await closed.close();
    assert.equal(listening(), before);
    charge();
    assert.equal(await claiming, undefined);
    assert.equal(await worker.jobs.countReady(), 1);
    await (await open.claim())?.release();
    assert.ok(listening() > before, 'BullMQ listens once something is claimed');
    await open.close();
  });

  it('claims of each caller in turn, however many sources it names behind what it had asked', async () => {
    const worker = await suite.openWorker();
    for (let i = 0; i < 6; i += 1) await suite.bench.accept({}, 'many');
    for (let i = 0; i < 6; i += 1) await suite.bench.accept({ source: `new-${i}` }, 'many');
    const few: string[] = [];
    for (let i = 0; i < 4; i += 1) few.push((await suite.bench.accept({}, 'few')).taskId);
    const claimed = [];
    for (let i = 0; i < 8; i += 1) claimed.push((await claimFrom(worker)).taskId);
    assert.equal(claimed.filter((id) => few.includes(id)).length, 4);
  });

  it('gives one job to one worker', async () => {
    const [one, other] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    await suite.bench.accept();
    const claimed = await Promise.all([one.claimer.claim(), other.claimer.claim()]);
    assert.equal(claimed.filter((job) => job !== undefined).length, 1);
  });

  it('leaves nothing of a job that is used up, so that the task can have one again', async () => {
    const worker = await suite.openWorker();
    const { taskId } = await suite.bench.accept();
    await (await claimFrom(worker)).complete();
    assert.equal(await worker.jobs.countAll(), 0);
    const left = await suite.bench.redis.keys(`${suite.bench.queueKey(taskId)}*`);
    assert.deepEqual(left, []);
  });

  it('puts a job back to the front of its job priority, as if it had never been claimed', async () => {
    const worker = await suite.openWorker();
    const first = await suite.bench.accept();
    const second = await suite.bench.accept();
    for (let time = 0; time < 3; time += 1) {
      const job = await claimFrom(worker);
      assert.equal(job.taskId, first.taskId);
      await job.release();
    }
    assert.deepEqual(await worker.jobs.positions([first.taskId, second.taskId]), [1, 2]);
    const made = await suite.bench.redis.hget(suite.bench.queueKey(first.taskId), 'atm');
    assert.ok(made === null || made === '0', `attemptsMade is ${made}`);
    assert.deepEqual(await active(), []);
  });

  it('lets an urgent newcomer go before a job that was put back', async () => {
    const worker = await suite.openWorker();
    await suite.bench.accept();
    await (await claimFrom(worker)).release();
    const urgent = await suite.bench.accept({ priority: 'critical' });
    assert.equal((await claimFrom(worker)).taskId, urgent.taskId);
  });

  it('neither throws nor harms when the lock of a claimed job was lost', async () => {
    const worker = await suite.openWorker();
    for (const end of ['complete', 'release'] as const) {
      const { taskId } = await suite.bench.accept();
      const job = await claimFrom(worker);
      await suite.bench.redis.del(`${suite.bench.queueKey(taskId)}:lock`);
      await job[end]();
    }
    assert.equal(worker.errors.length, 2);
    assert.match(worker.errors.map(String).join('\n'), /lock/i);
  });

  it('neither throws nor harms when a claimed job is gone', async () => {
    const worker = await suite.openWorker();
    for (const end of ['complete', 'release'] as const) {
      const { taskId } = await suite.bench.accept();
      const job = await claimFrom(worker);
      await suite.bench.redis.del(suite.bench.queueKey(taskId), `${suite.bench.queueKey(taskId)}:lock`);
      await job[end]();
    }
    assert.equal(worker.errors.length, 2);
  });

  it('brings the job of a dead worker back after its lock, however many die with it', async () => {
    const { taskId } = await suite.bench.accept();
    for (let death = 0; death < 2; death += 1) {
      const dying = await suite.openWorker({ lockMs: 150 });
      const job = await waitFor(() => claimBack(dying), { what: 'the job to come back' });
      assert.equal(job.taskId, taskId);
      // Death: nothing renews the lock any more, nothing puts the job back.
      await dying.close();
    }
    const heir = await suite.openWorker({ lockMs: 150 });
    const job = await waitFor(() => claimBack(heir), { what: 'the job to come back' });
    assert.equal(job.taskId, taskId);
    await job.complete();
    assert.equal(await heir.jobs.countAll(), 0);
  });

  it('keeps the job of a worker that lives, however long it takes over it', async () => {
    // Above the time for which a busy machine keeps a process waiting.
    const lockMs = 800;
    const [holder, other] = await Promise.all([suite.openWorker({ lockMs }), suite.openWorker({ lockMs })]);
    await suite.bench.accept();
    const job = await claimFrom(holder);
    const endMs = performance.now() + 4 * lockMs;
    await waitFor(
      async () => {
        assert.equal(await claimBack(other), undefined);
        return performance.now() > endMs;
      },
      { what: 'four times the lock' },
    );
    await job.complete();
    assert.deepEqual(holder.errors, []);
  });

  it('says of a job of another version, or of a corrupt one, that it cannot be read', async () => {
    const worker = await suite.openWorker();
    const { taskId } = await suite.bench.accept();
    const corruptions = ['{"v":2}', '{}', '{"v":1,"x":1}', '[]', 'null', '{"v":'];
    for (const data of corruptions) {
      await suite.bench.redis.hset(suite.bench.queueKey(taskId), 'data', data);
      const job = await claimFrom(worker);
      assert.equal(job.isReadable, false, data);
      assert.equal(job.taskId, taskId);
      await job.release();
    }
    await suite.bench.redis.hset(suite.bench.queueKey(taskId), 'data', '{"v":1}');
    assert.equal((await claimFrom(worker)).isReadable, true);
    assert.deepEqual(worker.errors, []);
  });
});

async function claimFrom({ claimer }: TestWorker) {
  const job = await claimer.claim();
  assert.ok(job, 'no job was claimed');
  return job;
}
