import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { useBench } from '../test-support/use-bench.ts';
import { createMissingJobCheck } from './requeue-missing-jobs.ts';

describe('job check', () => {
  const suite = useBench(useEmbeddedRedis());

  async function loseJob(taskId: string) {
    const { redis, queueKey } = suite.bench;
    await redis.del(queueKey(taskId));
    await redis.zrem(queueKey('prioritized'), taskId);
  }

  it('restores a lost job at the second look, not at the first', async () => {
    const worker = await suite.openWorker();
    const { taskId, requestId } = await suite.bench.accept();
    await loseJob(taskId);
    await worker.requeueMissingJobs();
    assert.equal(await worker.jobs.countAll(), 0);
    await worker.requeueMissingJobs();
    assert.equal(await worker.jobs.countAll(), 1);
    await worker.serveNext();
    assert.equal((await suite.bench.read(requestId)).status, 'started');
  });

  it('restores a job in its place in the order', async () => {
    const worker = await suite.openWorker();
    const urgent = await suite.bench.accept({ priority: 'critical' });
    const others = [await suite.bench.accept(), await suite.bench.accept({ priority: 'low' })];
    await loseJob(urgent.taskId);
    await worker.requeueMissingJobs();
    await worker.requeueMissingJobs();
    const ids = [urgent, ...others].map(({ taskId }) => taskId);
    assert.deepEqual(await worker.jobs.positions(ids), [1, 2, 3]);
  });

  it('leaves alone what is missing for one look only, as while an intake adds jobs', async () => {
    const worker = await suite.openWorker();
    const first = await suite.bench.accept();
    await loseJob(first.taskId);
    await worker.requeueMissingJobs();
    const task = await worker.find(first.taskId);
    await worker.jobs.add([{ taskId: task.id, jobPriority: task.jobPriority }]);
    await worker.requeueMissingJobs();
    // Missing anew: that look was the first again.
    await loseJob(first.taskId);
    await worker.requeueMissingJobs();
    assert.equal(await worker.jobs.countAll(), 0);
  });

  it('finds one that is missing behind one too many, page by page', async () => {
    const worker = await suite.openWorker();
    const accepted = [await suite.bench.accept(), await suite.bench.accept(), await suite.bench.accept()];
    await worker.jobs.add([{ taskId: 'of-none', jobPriority: 1 }]);
    const last = accepted[2]!.taskId;
    await loseJob(last);
    const check = createMissingJobCheck({ ...worker, logger: captureLog().logger, pageSize: 1, settleMs: 0 });
    for (let look = 0; look < 3; look += 1) await check();
    assert.deepEqual(await worker.jobs.have([last]), [false], 'seen to be missing once');
    await check();
    assert.deepEqual(await worker.jobs.have([last]), [true]);
    await loseJob(accepted[0]!.taskId);
    for (let look = 0; look < 4; look += 1) await check();
    assert.deepEqual(await worker.jobs.have([accepted[0]!.taskId]), [true], 'it begins again');
  });

  it('takes a claimed job for present', async () => {
    const [holder, worker] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    await suite.bench.accept();
    const job = await holder.claimer.claim();
    await worker.requeueMissingJobs();
    await worker.requeueMissingJobs();
    assert.equal(await worker.jobs.countReady(), 0);
    await job?.complete();
  });

  it('gives none to a task whose call is under way or that has ended', async () => {
    const worker = await suite.openWorker();
    const [sending, ended] = [await suite.bench.accept(), await suite.bench.accept()];
    await worker.tasks.begin(sending.taskId, 'call-1');
    await worker.tasks.endWaiting(ended.taskId, { status: 'cancelled', attempts: 0 });
    for (const { taskId } of [sending, ended]) await loseJob(taskId);
    for (let look = 0; look < 3; look += 1) await worker.requeueMissingJobs();
    assert.equal(await worker.jobs.countAll(), 0);
  });

  it('restores the whole order when the queue lost everything', async () => {
    const worker = await suite.openWorker();
    const ids = [];
    for (let i = 0; i < 20; i += 1) ids.push((await suite.bench.accept()).taskId);
    const { redis, queueKey } = suite.bench;
    await redis.del(...(await redis.keys(queueKey('*'))));
    await worker.requeueMissingJobs();
    await worker.requeueMissingJobs();
    assert.deepEqual(
      await worker.jobs.positions(ids),
      ids.map((_, i) => i + 1),
    );
  });

  it('restores one job only, however many workers look', async () => {
    const workers = await Promise.all([suite.openWorker(), suite.openWorker()]);
    const { taskId } = await suite.bench.accept();
    await loseJob(taskId);
    for (let look = 0; look < 2; look += 1)
      await Promise.all(workers.map((worker) => worker.requeueMissingJobs()));
    assert.equal(await workers[0].jobs.countAll(), 1);
  });
});
