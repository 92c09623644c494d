import assert from 'node:assert/strict';
import { NotReplicatedError } from '@diq/redis/replication.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { denied, granted } from '../defender/test-support/token-endpoint.ts';
import { answerInTurn, answerStarted, answerStatus, type Answer } from '../test-support/defender.ts';
import { useBench } from '../test-support/use-bench.ts';

describe('a claimed job', () => {
  const suite = useBench(useEmbeddedRedis());

  it('fails its task visibly when this version cannot read it, without a call', async () => {
    const worker = await suite.openWorker();
    for (const data of ['{"v":2}', '{"v":', '{}']) {
      const { requestId, taskId } = await suite.bench.accept();
      await suite.bench.redis.hset(suite.bench.queueKey(taskId), 'data', data);
      assert.equal(await worker.serveNext(), 'released');
      const { status, error, attempts } = await suite.bench.read(requestId);
      assert.deepEqual([status, error?.code, attempts], ['failed', 'payload_unreadable', 0], data);
    }
    assert.equal(await worker.jobs.countAll(), 0);
    assert.equal(await worker.used(), 0);
    assert.deepEqual(suite.defender.calls, []);
  });

  it('lets the others go on behind one that cannot be read', async () => {
    const worker = await suite.openWorker();
    const unreadable = await suite.bench.accept();
    const other = await suite.bench.accept();
    await suite.bench.redis.hset(suite.bench.queueKey(unreadable.taskId), 'data', '{"v":2}');
    await worker.serveNext();
    assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await suite.bench.read(other.requestId)).status, 'started');
  });

  it('fails its task visibly when its request cannot be read, and the others go on', async () => {
    const worker = await suite.openWorker();
    for (const doc of ['{"from":"the future"}', '{"machineId":']) {
      const unreadable = await suite.bench.accept();
      const other = await suite.bench.accept();
      const key = suite.bench.keys.request(unreadable.requestId);
      await suite.bench.redis.hset(key, 'doc', doc);
      assert.equal(await worker.serveNext(), 'released');
      assert.equal(await worker.serveNext(), 'kept');
      assert.equal((await suite.bench.read(other.requestId)).status, 'started');
      const [status, error] = await suite.bench.redis.hmget(key, 'status', 'error');
      assert.equal(status, 'failed');
      assert.match(error ?? '', /payload_unreadable/);
    }
    assert.equal(await worker.jobs.countAll(), 0);
  });

  it('takes a task that is gone out of the queue, and the others go on', async () => {
    const worker = await suite.openWorker();
    const { redis, keys } = suite.bench;
    const [gone, other] = [await suite.bench.accept(), await suite.bench.accept()];
    await redis.del(keys.task(gone.taskId));
    assert.equal(await worker.serveNext(), 'released');
    assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await suite.bench.read(other.requestId)).status, 'started');
    assert.equal(await worker.tasks.countWaiting(), 0);
    assert.equal(await worker.jobs.countAll(), 0);
  });

  it('fails its task visibly when the task itself is corrupt, and the others go on', async () => {
    const worker = await suite.openWorker({ limit: 20 });
    const { redis, keys } = suite.bench;
    for (const [field, value] of [
      ['state', 'from the future'],
      ['createdAt', 'yesterday'],
      ['jobPriority', 'x'],
      ['machine', undefined],
    ] as const) {
      const corrupt = await suite.bench.accept();
      const other = await suite.bench.accept();
      if (value === undefined) await redis.hdel(keys.task(corrupt.taskId), field);
      else await redis.hset(keys.task(corrupt.taskId), field, value);
      assert.equal(await worker.serveNext(), 'released', field);
      assert.equal(await worker.serveNext(), 'kept', field);
      assert.equal((await suite.bench.read(other.requestId)).status, 'started');
      const { status, error, machineId } = await suite.bench.read(corrupt.requestId);
      assert.deepEqual([status, error?.code], ['failed', 'payload_unreadable'], field);
      const next = await suite.bench.accept({ machineId });
      assert.equal(await worker.serveNext(), 'kept', `${field}: the next request for the machine`);
      assert.equal((await suite.bench.read(next.requestId)).status, 'started');
    }
    assert.equal(await worker.jobs.countAll(), 0);
    assert.equal(await worker.tasks.countWaiting(), 0);
  });

  it('of a task that another call is made for is used up and leaves that call alone', async () => {
    const [busy, other] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    let answer!: () => void;
    const arrived = new Promise<void>((resolve) => {
      suite.defender.answer = (call) => {
        answer = () => answerStarted(call);
        resolve();
      };
    });
    const { requestId, taskId } = await suite.bench.accept();
    const serving = busy.serveNext();
    await arrived;
    // A second job for the same task, readable and not.
    for (const isReadable of [true, false]) {
      const ends: string[] = [];
      const second = {
        taskId,
        isReadable,
        complete: noting(ends, 'used up'),
        release: noting(ends, 'put back'),
      };
      assert.equal(await other.serve(second), 'released');
      assert.deepEqual(ends, ['used up']);
    }
    answer();
    assert.equal(await serving, 'kept');
    assert.equal((await suite.bench.read(requestId)).status, 'started');
    assert.equal(suite.defender.calls.length, 1);
  });

  it('of a task that is settled or gone is used up without a permit', async () => {
    const worker = await suite.openWorker();
    const { taskId } = await suite.bench.accept();
    await worker.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
    assert.equal(await worker.serveNext(), 'released');
    await worker.jobs.add([{ taskId: 'no-such-task', jobPriority: 1 }]);
    assert.equal(await worker.serveNext(), 'released');
    assert.equal(await worker.jobs.countAll(), 0);
    assert.equal(await worker.used(), 0);
    assert.deepEqual(suite.defender.calls, []);
  });

  it('of a task cancelled just before the last gate is not called, and its permit comes back', async () => {
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    const task = await worker.find(taskId);
    const call = { callId: worker.steps.newCallId(), task, sendBy: worker.steps.startSendDeadline() };
    await worker.steps.spend(call.callId, task);
    await worker.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
    assert.equal(await worker.steps.begin(call), false);
    await worker.steps.giveBackUnused(call);
    assert.equal(await worker.used(), 0);
    assert.equal((await suite.bench.read(requestId)).status, 'cancelled');
  });

  it('goes back with its permit when the ledger cannot be asked: no call is made', async () => {
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    await suite.bench.redis.set(`${suite.bench.keySpace}:ledger:intents`, 'not what it should be');
    assert.equal(await worker.serveNext(), 'released');
    assert.deepEqual(await worker.jobs.positions([taskId]), [1]);
    assert.equal((await suite.bench.read(requestId)).status, 'queued');
    assert.deepEqual(suite.defender.calls, []);
  });

  it('that an outage of Redis meets is logged when the outage begins and when it is over', async () => {
    const worker = await suite.openWorker();
    const { taskId } = await suite.bench.accept();
    await worker.tasks.endWaiting(taskId, { status: 'cancelled', attempts: 0 });
    const replies = [false, false, true];
    const job = {
      taskId,
      isReadable: true,
      complete: async () => {
        if (!replies.shift()) throw new NotReplicatedError('0 of 1 replicas have what was written');
      },
      release: async () => undefined,
    };
    for (let i = 0; i < 3; i += 1) await worker.serve(job);
    const messages = worker.logLines
      .map((line) => String((JSON.parse(line) as { msg: unknown }).msg))
      .filter((message) => message.includes('task'));
    assert.deepEqual(messages, [
      'serving a task failed; its recovery will be logged',
      'serving a task works again',
    ]);
  });

  it('is still one call when its lock was lost and two workers hold it', async () => {
    const [first, second] = await Promise.all([suite.openWorker(), suite.openWorker()]);
    const { requestId, taskId } = await suite.bench.accept();
    const ends: string[] = [];
    const twice = {
      taskId,
      isReadable: true,
      complete: noting(ends, 'used up'),
      release: noting(ends, 'put back'),
    };
    const permits = await Promise.all([first.serve(twice), second.serve(twice)]);
    assert.deepEqual(permits.toSorted(), ['kept', 'released']);
    assert.deepEqual(ends, ['used up', 'used up']);
    assert.equal(suite.defender.calls.length, 1);
    assert.equal(await first.used(), 1);
    assert.equal((await suite.bench.read(requestId)).status, 'started');
  });

  it('lost during its call does not undo what the call brought', async () => {
    const worker = await suite.openWorker();
    const { requestId, taskId } = await suite.bench.accept();
    const loseLock: Answer = (call) => {
      const lock = `${suite.bench.queueKey(taskId)}:lock`;
      void suite.bench.redis.del(lock).then(() => answerInTurn(answerStarted)(call));
    };
    suite.defender.answer = loseLock;
    assert.equal(await worker.serveNext(), 'kept');
    assert.equal((await suite.bench.read(requestId)).status, 'started');
    assert.ok(worker.errors.length > 0);
  });

  it('keeps its place when it is throttled, and lets others try when it is again; no attempt is used up', async () => {
    suite.defender.answer = answerStatus(429, { 'retry-after': '1' });
    const worker = await suite.openWorker();
    const first = await suite.bench.accept();
    const second = await suite.bench.accept();
    const places = [
      [1, 2],
      [2, 1],
    ];
    for (const expected of places) {
      assert.equal(await worker.serveNext(), 'kept');
      await suite.bench.endHolds();
      const found = await worker.jobs.positions([first.taskId, second.taskId]);
      assert.deepEqual(found, expected);
    }
    assert.deepEqual(new Set(suite.defender.calls).size, 1);
    const made = await suite.bench.redis.hget(suite.bench.queueKey(first.taskId), 'atm');
    assert.ok(made === null || made === '0');
    assert.equal((await suite.bench.read(first.requestId)).attempts, 0);
  });

  describe('whose task is moved up while it is in hand', () => {
    /** Claims the job of a request that is the least urgent of three by the time at which it is served. */
    async function drawLeastUrgent() {
      const worker = await suite.openWorker();
      const claimed = await suite.bench.accept({ priority: 'low' });
      const job = await worker.claimer.claim();
      assert.equal(job?.taskId, claimed.taskId);
      const critical = await suite.bench.accept({ priority: 'critical' });
      const high = await suite.bench.accept({ priority: 'high' });
      const { machineId } = await suite.bench.read(claimed.requestId);
      return {
        worker,
        serve: () => worker.serve(job),
        /** A critical request joins it. */
        moveUp: () => suite.bench.accept({ machineId, priority: 'critical' }),
        /** Places of the critical one, the one in hand and the high one. */
        places: () => worker.jobs.positions([critical, claimed, high].map(({ taskId }) => taskId)),
      };
    }
    const moved = [1, 2, 3];

    it('goes back to its new place when there is no token', async () => {
      const { serve, moveUp, places } = await drawLeastUrgent();
      suite.entra.endpoint.reply = async () => {
        await moveUp();
        return denied(401, 'invalid_client', 7_000_215);
      };
      assert.equal(await serve(), 'released');
      assert.deepEqual(await places(), moved);
    });

    it('goes back to its new place when the ledger cannot be asked', async () => {
      const { serve, moveUp, places } = await drawLeastUrgent();
      suite.entra.endpoint.reply = async () => {
        await moveUp();
        await suite.bench.redis.set(`${suite.bench.keySpace}:ledger:intents`, 'not what it should be');
        return granted('token');
      };
      assert.equal(await serve(), 'released');
      assert.deepEqual(await places(), moved);
    });

    it('goes back to its new place when its call is throttled', async () => {
      const { serve, moveUp, places } = await drawLeastUrgent();
      suite.defender.answer = (call) => void moveUp().then(() => answerStatus(429)(call));
      assert.equal(await serve(), 'kept');
      assert.deepEqual(await places(), moved);
    });

    it('goes back to its new place, once another one was answered well, when its call is refused', async () => {
      const { worker, serve, moveUp, places } = await drawLeastUrgent();
      suite.defender.answer = (call) => void moveUp().then(() => answerStatus(403)(call));
      assert.equal(await serve(), 'kept');
      assert.deepEqual(await places(), [1, 3, 2]);
      await suite.bench.endHolds();
      suite.defender.answer = answerStarted;
      assert.equal(await worker.serveNext(), 'kept');
      assert.deepEqual(await places(), [undefined, 1, 2]);
    });
  });
});

function noting(ends: string[], end: string) {
  return async () => void ends.push(end);
}
