import assert from 'node:assert/strict';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { createRequestActions, maxChanges } from './request-actions.ts';
import { storeKeys } from '../store-keys.ts';
import type { RequestActions } from './request-actions.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const anna = { name: 'anna', reason: 'false positive' };
const hourMs = 3_600_000;

describe('actions on a request', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let actions: RequestActions;
  beforeEach(async () => {
    const { redis: connection, jobs } = store;
    const options = { redis: connection, keySpace, jobs, order: defaultOrderRules };
    actions = createRequestActions({ ...options, retentionMs, auditKeptMs: hourMs });
  });

  const submit = async (fields: Parameters<typeof item>[0] = {}, atMs = arrivedAtMs) =>
    (await store.intake.acceptOne(item(fields), { nowMs: atMs })).id;
  const statusOf = async (id: string) => (await store.request(id)).document.status;
  const positionOf = async (id: string) =>
    (await store.jobs.positions([(await store.request(id)).taskId]))[0];
  const inOrder = async (...ids: string[]) => {
    const positions = await Promise.all(ids.map(positionOf));
    return ids.toSorted((a, b) => (positions[ids.indexOf(a)] ?? 0) - (positions[ids.indexOf(b)] ?? 0));
  };
  const entries = async () =>
    (await createAuditLog(store.redis, keySpace, hourMs).page(10)).entries.map(({ entry }) => entry);

  describe('change of a request that is hard to read', () => {
    const half = { comment: 'half a character: \ud800', source: 'half \ud800' };

    it('changes it, and one that it shares a call with', async () => {
      const [odd, joined] = [await submit(half), await submit({ comment: 'whole' })];
      assert.deepEqual(await actions.change(joined, { priority: 'critical' }, anna), { kind: 'done' });
      assert.deepEqual(await actions.change(odd, { priority: 'low' }, anna), { kind: 'done' });
      assert.equal((await store.taskOf(odd)).priority, 'critical');
      assert.deepEqual(await actions.change(joined, { priority: 'low' }, anna), { kind: 'done' });
      assert.equal((await store.taskOf(odd)).priority, 'low');
      assert.match((await store.request(odd)).document.comment, /^half a character: /);
    });

    it('leaves nothing half done where its task is corrupt or gone', async () => {
      const { task } = storeKeys(keySpace);
      for (const damage of [
        (key: string) => store.redis.hdel(key, 'first'),
        (key: string) => store.redis.del(key),
      ]) {
        const id = await submit();
        await damage(task((await store.request(id)).taskId));
        assert.deepEqual(await actions.change(id, { priority: 'high' }, anna), { kind: 'done' });
        assert.equal((await store.request(id)).document.priority, 'high');
        assert.equal((await entries())[0]?.['requestId'], id);
      }
    });
  });

  describe('change of a request whose call many share', () => {
    /** How many fields of hashes Redis was asked for, one by one or several of one hash. */
    async function readsFor(act: () => Promise<unknown>): Promise<number> {
      await redis.client.config('RESETSTAT');
      await act();
      const stats = await redis.client.info('commandstats');
      return [...stats.matchAll(/^cmdstat_hm?get:calls=(\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
    }
    const sharing = 300;
    let ids: string[];
    beforeEach('let them wait', async () => {
      const machineId = machine(7);
      const items = Array.from({ length: sharing }, (_, n) =>
        item({ machineId, correlation: { priority: 'critical' }, ...(n === 0 && { priority: 'high' }) }),
      );
      const { accepted } = await store.intake.acceptBatch(items, { nowMs: arrivedAtMs });
      ids = accepted.map((answer) => answer?.id ?? '');
    });
    const change = async (index: number, wanted: Parameters<RequestActions['change']>[1]) => {
      const reads = await readsFor(() => actions.change(ids[index] ?? '', wanted, anna));
      return { reads, priority: (await store.taskOf(ids[0] ?? '')).priority };
    };

    it('reads none of the others where it lowers no call', async () => {
      for (const [index, wanted, priority] of [
        [1, { priority: 'high' }, 'high'],
        [2, { priority: 'critical' }, 'critical'],
        [2, { notAfter: '2099-01-01T00:00:00Z' }, 'critical'],
      ] as const) {
        const changed = await change(index, wanted);
        assert.equal(changed.priority, priority);
        assert.ok(changed.reads < 50, `${changed.reads} reads`);
      }
    });

    it('reads them as far as one that keeps the call where it is, and each once where none does', async () => {
      const kept = [await change(1, { priority: 'high' }), await change(2, { priority: 'low' })];
      assert.deepEqual(
        kept.map(({ priority }) => priority),
        ['high', 'high'],
      );
      for (const { reads } of kept) assert.ok(reads < 50, `${reads} reads`);
      await change(0, { priority: 'medium' });
      const lowered = await change(1, { priority: 'low' });
      assert.equal(lowered.priority, 'medium');
      assert.ok(lowered.reads < sharing + 50, `${lowered.reads} reads`);
    });
  });

  describe('cancel', () => {
    it('ends a request that waits alone, with its task and its job, and frees the machine', async () => {
      const id = await submit();
      const task = await store.taskOf(id);
      assert.deepEqual(await actions.cancel(id, anna), { kind: 'done' });
      assert.equal(await statusOf(id), 'cancelled');
      assert.equal((await store.tasks.find(task.id))?.state, 'settled');
      assert.equal(await store.jobs.countAll(), 0);
      assert.deepEqual(await store.tasks.begin(task.id, 'call-1'), {
        moved: false,
        state: 'settled',
        callId: undefined,
      });
      assert.notEqual((await store.taskOf(await submit())).id, task.id);
    });

    it('only detaches one of several, first or not, and the last one takes the task along', async () => {
      const ids = [await submit(), await submit(), await submit()];
      const { id: taskId } = await store.taskOf(ids[0]!);
      for (const [gone, left] of [
        [ids[0]!, 2],
        [ids[2]!, 1],
      ] as const) {
        assert.deepEqual(await actions.cancel(gone, anna), { kind: 'done' });
        assert.equal((await store.tasks.find(taskId))?.state, 'waiting');
        assert.equal((await store.reader.backlog()).counts.queued, left);
        assert.equal(await store.jobs.countAll(), 1);
      }
      assert.deepEqual(await actions.cancel(ids[1]!, anna), { kind: 'done' });
      assert.equal((await store.tasks.find(taskId))?.state, 'settled');
      assert.equal(await store.jobs.countAll(), 0);
    });

    it('completes a batch whose last open request it is', async () => {
      const { batchId, accepted } = await store.intake.acceptBatch([item()], { nowMs: arrivedAtMs });
      await actions.cancel(accepted[0]!.id, anna);
      const batch = await store.reader.findBatch(batchId);
      assert.equal(batch?.isComplete, true);
      assert.equal(batch.counts.cancelled, 1);
    });

    it('says what the request is when it is past being queued, and changes nothing', async () => {
      const id = await submit();
      const task = await store.taskOf(id);
      await store.tasks.begin(task.id, 'call-1');
      const before = await store.dump();
      assert.deepEqual(await actions.cancel(id, anna), { kind: 'not-queued', status: 'dispatching' });
      assert.deepEqual(await actions.cancel('no-such-request', anna), { kind: 'missing' });
      assert.deepEqual(await store.dump(), before);
    });

    it('and the beginning of its call have one winner, in either order, and both report the same', async () => {
      const other = openFailFastConnection({
        address: parseRedisUrl(redis.url),
        name: 'worker',
        logger: { info() {}, warn() {} },
      });
      await waitUntilReady(other, 5_000);
      const worker = createTaskStore(other, keySpace, retentionMs);
      const winners = { cancel: 0, call: 0 };
      for (let round = 0; round < 100; round += 1) {
        const id = await submit({ machineId: machine(round) });
        const { taskId } = await store.request(id);
        const cancel = () => actions.cancel(id, anna);
        const begin = () => worker.begin(taskId, `call-${round}`);
        // Both are on their way before either is answered; who is sent first takes turns.
        const [cancelled, begun] =
          round % 2 === 0
            ? await Promise.all([cancel(), begin()])
            : await Promise.all([begin(), cancel()]).then(([a, b]) => [b, a] as const);
        assert.notEqual(cancelled.kind === 'done', begun.moved, `round ${round} has one winner`);
        const [winner, status] = begun.moved
          ? (['call', 'dispatching'] as const)
          : (['cancel', 'cancelled'] as const);
        winners[winner] += 1;
        assert.equal(await statusOf(id), status);
        if (begun.moved) assert.deepEqual(cancelled, { kind: 'not-queued', status: 'dispatching' });
      }
      assert.ok(winners.cancel > 0 && winners.call > 0, JSON.stringify(winners));
      await closeRedis(other);
    });
  });

  describe('change', () => {
    it('moves a request up or down by its class, and its job with it', async () => {
      const [first, second] = [
        await submit({ machineId: machine(1) }),
        await submit({ machineId: machine(2) }),
      ];
      assert.deepEqual(await inOrder(first, second), [first, second]);
      assert.deepEqual(await actions.change(second, { priority: 'critical' }, anna), { kind: 'done' });
      assert.deepEqual(await inOrder(first, second), [second, first]);
      assert.equal((await store.request(second)).document.priority, 'critical');
      await actions.change(second, { priority: 'low' }, anna);
      assert.deepEqual(await inOrder(first, second), [first, second]);
      assert.equal((await store.taskOf(second)).jobPriority > (await store.taskOf(first)).jobPriority, true);
    });

    it('is made so often and no more: each leaves an entry', async () => {
      const { id } = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs, caller: 'soar' });
      for (let times = 0; times < maxChanges; times += 1)
        assert.deepEqual(await actions.change(id, { priority: 'high' }, anna), { kind: 'done' });
      const left = await store.redis.xlen(`${keySpace}:audit`);
      assert.deepEqual(await actions.change(id, { priority: 'low' }, anna), { kind: 'changed-too-often' });
      assert.equal(await store.redis.xlen(`${keySpace}:audit`), left);
      assert.equal((await store.request(id)).document.priority, 'high');
      assert.deepEqual(await actions.cancel(id, anna), { kind: 'done' });
    });

    it('leaves a task where its most urgent request has it', async () => {
      const [joined, urgent] = [await submit(), await submit({ priority: 'critical' })];
      const { jobPriority } = await store.taskOf(joined);
      await actions.change(joined, { priority: 'low' }, anna);
      assert.equal((await store.taskOf(joined)).jobPriority, jobPriority);
      await actions.change(urgent, { priority: 'low' }, anna);
      assert.ok((await store.taskOf(joined)).jobPriority > jobPriority);
    });

    describe('of a request that shares a call with that of another caller', () => {
      let machines = 100;
      const ask = async (caller: string, machineId: string, priority?: 'critical' | 'high' | 'low') => {
        const asked = item({ machineId, ...(priority && { priority }) });
        return (await store.intake.acceptOne(asked, { nowMs: arrivedAtMs, caller })).id;
      };
      const askForMany = async (caller: string) => {
        const many = Array.from({ length: 20 }, () => item({ machineId: machine((machines += 1)) }));
        await store.intake.acceptBatch(many, { nowMs: arrivedAtMs, caller });
      };

      it('leaves that where it stood, whatever it is raised to, lowered to and cancelled', async () => {
        const other = await ask('other', machine(1));
        for (const caller of ['many', 'other']) await askForMany(caller);
        const { jobPriority } = await store.taskOf(other);
        for (const first of ['critical', 'high'] as const) {
          const joined = await ask('many', machine(1), first);
          assert.ok((await store.taskOf(other)).jobPriority < jobPriority);
          for (const priority of ['low', 'critical', 'medium'] as const)
            await actions.change(joined, { priority }, anna);
          await actions.cancel(joined, anna);
          const after = await store.taskOf(other);
          assert.deepEqual([after.jobPriority, after.priority], [jobPriority, 'medium']);
          // Behind the first of the many, which has the same place.
          assert.ok(((await positionOf(other)) ?? 99) <= 2);
        }
        const { taskId } = await store.request(other);
        assert.equal(await store.redis.hget(storeKeys(keySpace).task(taskId), 'flowCaller'), 'other');
      });

      it('puts that where it would stand by itself, and not behind what the one who changes has queued', async () => {
        await askForMany('many');
        const urgent = await ask('many', machine(1), 'high');
        const other = await ask('other', machine(1));
        await actions.change(urgent, { priority: 'low' }, anna);
        const alone = await ask('third', machine(2));
        assert.equal((await store.taskOf(other)).jobPriority, (await store.taskOf(alone)).jobPriority);
        assert.ok(((await positionOf(other)) ?? 99) <= 2);
      });
    });

    it('sets a deadline, changes it and takes it away, and nothing else of what was asked', async () => {
      const id = await submit({ comment: 'a/b "c" ü', correlation: {}, source: 'soar' });
      const { document } = await store.request(id);
      const soon = new Date(Date.now() + hourMs).toISOString();
      await actions.change(id, { notAfter: soon }, anna);
      assert.deepEqual((await store.request(id)).document, { ...document, notAfter: soon });
      assert.equal((await store.taskOf(id)).notAfterMs, Date.parse(soon));
      await actions.change(id, { notAfter: null }, anna);
      assert.deepEqual((await store.request(id)).document, document);
      assert.equal((await store.taskOf(id)).notAfterMs, undefined);
    });

    it('has the request expire by the new deadline and not by the old one', async () => {
      const [shortened, extended] = [
        await submit({ machineId: machine(1) }),
        await submit({ machineId: machine(2), notAfter: '2026-01-24T13:00:00.000Z' }),
      ];
      await actions.change(shortened, { notAfter: '2026-01-24T13:00:00.000Z' }, anna);
      await actions.change(extended, { notAfter: new Date(Date.now() + hourMs).toISOString() }, anna);
      assert.deepEqual((await store.tasks.expireDue()).requestIds, [shortened]);
    });

    it('loses neither of two changes at the same time', async () => {
      const id = await submit();
      const soon = new Date(Date.now() + hourMs).toISOString();
      await Promise.all([
        actions.change(id, { notAfter: soon }, anna),
        actions.change(id, { priority: 'high' }, anna),
      ]);
      const { priority, notAfter } = (await store.request(id)).document;
      assert.deepEqual({ priority, notAfter }, { priority: 'high', notAfter: soon });
    });

    it('is refused once the request is not queued', async () => {
      const id = await submit();
      await store.tasks.begin((await store.taskOf(id)).id, 'call-1');
      assert.deepEqual(await actions.change(id, { priority: 'high' }, anna), {
        kind: 'not-queued',
        status: 'dispatching',
      });
      assert.equal((await store.request(id)).document.priority, 'medium');
    });
  });

  describe('move to head', () => {
    it('puts a request before all others, the one moved last before those moved earlier', async () => {
      const [a, b, c] = [
        await submit({ machineId: machine(1), priority: 'critical' }, arrivedAtMs - 1_000 * hourMs),
        await submit({ machineId: machine(2), priority: 'low' }),
        await submit({ machineId: machine(3), priority: 'low' }),
      ];
      await actions.moveToHead(b, anna);
      assert.deepEqual(await inOrder(a, b, c), [b, a, c]);
      await actions.moveToHead(c, anna);
      assert.deepEqual(await inOrder(a, b, c), [c, b, a]);
    });

    it('outlasts a change of its priority and those who join', async () => {
      const [a, b] = [
        await submit({ machineId: machine(1), priority: 'critical' }),
        await submit({ machineId: machine(2) }),
      ];
      await actions.moveToHead(b, anna);
      await actions.change(b, { priority: 'low' }, anna);
      await submit({ machineId: machine(2), priority: 'high' });
      assert.deepEqual(await inOrder(a, b), [b, a]);
    });
  });

  it('leave an entry whose bytes count for the one who acts, for as long as it is kept, whatever becomes of the request', async () => {
    const { id } = await store.intake.acceptOne(item(), { nowMs: arrivedAtMs, caller: 'soar' });
    const countedOf = async (who: string) => Number(await store.redis.hget(`${keySpace}:stored`, who));
    const before = await countedOf('soar');
    await actions.change(id, { priority: 'high' }, anna);
    const changed = await countedOf('anna');
    await actions.cancel(id, { ...anna, reason: 'x'.repeat(500) });
    const cancelled = await countedOf('anna');
    assert.ok(changed > 50 && cancelled > changed + 500, `${changed}, ${cancelled}`);
    await actions.cancel(id, { ...anna, reason: 'x'.repeat(500) });
    assert.equal(await countedOf('anna'), cancelled, 'there is no second entry');
    assert.equal(await countedOf('soar'), before);
    // Of it, all goes by itself.
    const times = await store.redis.zrange(`${keySpace}:stored:times`, 0, '-1');
    const going = await Promise.all(
      times.map((time) => store.redis.hget(`${keySpace}:stored:${time}`, 'anna')),
    );
    assert.equal(
      going.reduce((sum, bytes) => sum + Number(bytes), 0),
      cancelled,
    );
  });

  it('leave an entry each, with by whom and why; what was refused leaves none', async () => {
    const id = await submit();
    await actions.change(id, { priority: 'high' }, { name: 'playbook' });
    await actions.moveToHead(id, anna);
    await actions.cancel(id, anna);
    await actions.cancel(id, anna);
    await actions.moveToHead(id, anna);
    assert.deepEqual(await entries(), [
      { action: 'cancel', by: 'anna', reason: 'false positive', requestId: id },
      { action: 'move_to_head', by: 'anna', reason: 'false positive', requestId: id },
      { action: 'change', by: 'playbook', requestId: id, change: { priority: 'high' } },
    ]);
  });
});
