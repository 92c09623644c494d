import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createBacklogRoom } from './backlog-reservation.ts';
import type { Room } from './backlog-reservation.ts';
import { freshIds } from './request-ids.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const items = (size: number) => Array.from({ length: size }, (_, i) => item({ machineId: machine(i + 1) }));

describe('room in the backlog', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  const keep = (
    size: number,
    bounds: { requests: number; tasks?: number; ofCaller?: number },
    batch = freshIds('00000000').batch,
    caller?: string,
  ) => createBacklogRoom(store.redis, keySpace).keep(size, { tasks: undefined, ...bounds }, batch, caller);

  function kept(room: Room) {
    assert.ok(room.kind === 'kept', room.kind);
    return room;
  }

  it('is kept up to the bound, and counts what waits and what room is kept for', async () => {
    await store.intake.acceptBatch(items(3), { nowMs: arrivedAtMs });
    kept(await keep(2, { requests: 6 }));
    assert.deepEqual(await keep(2, { requests: 6 }), {
      kind: 'full',
      requests: 5,
      tasks: 5,
      ofCaller: 2,
    });
    kept(await keep(1, { requests: 6 }));
    assert.equal((await keep(1, { requests: 6 })).kind, 'full');
  });

  it('is there again once it was given back, and by itself if its intake died', async () => {
    const room = kept(await keep(5, { requests: 5 }));
    assert.equal((await keep(1, { requests: 5 })).kind, 'full');
    await room.giveBack();
    kept(await keep(5, { requests: 5 }));
    const [[member, endsAt] = []] = await reservations();
    const [seconds] = await redis.client.time();
    assert.ok(Math.abs(Number(endsAt) - Number(seconds) * 1_000 - 60_000) < 3_000);
    await redis.client.zadd(`${keySpace}:reservations`, Number(seconds) * 1_000, member ?? '');
    kept(await keep(5, { requests: 5 }));
    assert.equal((await reservations()).length, 1, 'what was given up is gone');
  });

  it('has a bound of tasks, which many requests for one machine share', async () => {
    await store.intake.acceptBatch([...items(2), ...items(2)], { nowMs: arrivedAtMs });
    assert.deepEqual(await keep(2, { requests: 9, tasks: 3 }), {
      kind: 'full',
      requests: 4,
      tasks: 2,
      ofCaller: 0,
    });
    kept(await keep(1, { requests: 9, tasks: 3 }));
  });

  it('is kept for what was begun before, however full it is', async () => {
    const ids = freshIds('00000000');
    await store.intake.acceptBatch(items(3), { nowMs: arrivedAtMs, ids });
    assert.equal((await keep(3, { requests: 3 })).kind, 'full');
    kept(await keep(3, { requests: 3 }, ids.batch));
    const room = createBacklogRoom(store.redis, keySpace);
    const bounds = { requests: 9, tasks: undefined, bytesOfCaller: 1 };
    assert.equal((await room.keep(3, bounds, freshIds('00000000').batch, 'soar', 2)).kind, 'storage-full');
    kept(await room.keep(3, bounds, ids.batch, 'soar', 2));
  });

  it('is looked for by the script that records one request: none is recorded above the bound', async () => {
    const acceptOne = (bounds: { requests: number; tasks?: number }, ids = freshIds('00000000')) =>
      store.intake.acceptOne(item({ machineId: machine(9) }), {
        nowMs: arrivedAtMs,
        ids,
        bounds: {
          tasks: undefined,
          ...bounds,
        },
      });
    await store.intake.acceptBatch(items(2), { nowMs: arrivedAtMs });
    kept(await keep(2, { requests: 9 }));
    const before = await store.dump();
    const full = { name: 'BacklogFullError', requests: 4, tasks: 4 };
    await assert.rejects(acceptOne({ requests: 4 }), full);
    await assert.rejects(acceptOne({ requests: 9, tasks: 4 }), full);
    assert.deepEqual(await store.dump(), before);
    const ids = freshIds('00000000');
    assert.equal((await acceptOne({ requests: 5, tasks: 5 }, ids)).position, 3);
    assert.equal(
      (await acceptOne({ requests: 5 }, ids)).id,
      ids.request(0),
      'what was recorded before is completed',
    );
    assert.equal((await store.reader.backlog()).counts.queued, 3);
  });

  describe('for one caller', () => {
    const bounds = { requests: 20, ofCaller: 5 };

    it('has a bound of its own, which counts what it has queued and what is being recorded for it', async () => {
      await store.intake.acceptBatch(items(3), {
        nowMs: arrivedAtMs,
        ids: freshIds('00000000'),
        caller: 'many',
      });
      kept(await keep(2, bounds, undefined, 'many'));
      const full = { kind: 'full', requests: 5, tasks: 5, ofCaller: 5 };
      assert.deepEqual(await keep(1, bounds, undefined, 'many'), full);
      kept(await keep(5, bounds, undefined, 'other'));
      const one = item({ machineId: machine(9) });
      const room = { ...bounds, tasks: undefined };
      await assert.rejects(
        store.intake.acceptOne(one, {
          nowMs: arrivedAtMs,
          ids: freshIds('00000000'),
          caller: 'many',
          bounds: room,
        }),
        {
          name: 'BacklogFullError',
          ofCaller: 5,
        },
      );
      await store.intake.acceptOne(one, {
        nowMs: arrivedAtMs,
        ids: freshIds('00000000'),
        caller: 'third',
        bounds: room,
      });
    });

    it('is counted exactly, whatever ends, is given back, is recorded twice or shares a call', async () => {
      const counts = () => redis.client.hgetall(`${keySpace}:counts:callers`);
      const ids = freshIds('00000000');
      for (let time = 0; time < 2; time += 1) {
        await store.intake.acceptBatch([...items(3), ...items(1)], {
          nowMs: arrivedAtMs,
          ids,
          caller: 'many',
        });
      }
      const long = 'a name that is longer than one part of what is kept of it '.repeat(2);
      await store.intake.acceptOne(item(), { nowMs: arrivedAtMs, ids: freshIds('00000000'), caller: long });
      assert.deepEqual(await counts(), { many: '4', [long]: '1' });
      const [first = '', second = '', third = ''] = await store.jobs.nextOnes(3);
      await store.tasks.begin(first, 'call');
      assert.deepEqual(await counts(), { many: '2' });
      await store.tasks.giveBack(first, 'call');
      assert.deepEqual(await counts(), { many: '4', [long]: '1' });
      await store.tasks.begin(first, 'call-2');
      await store.tasks.settle(first, 'call-2', { status: 'started', attempts: 1 });
      await store.tasks.endWaiting(second, { status: 'cancelled', attempts: 0 });
      await store.tasks.endWaiting(third, { status: 'failed', attempts: 0 });
      assert.deepEqual(await counts(), {});
    });
  });

  async function reservations(): Promise<string[][]> {
    const flat = await redis.client.zrange(`${keySpace}:reservations`, 0, '-1', 'WITHSCORES');
    return flat.flatMap((member, i) => (i % 2 === 0 ? [[member, flat[i + 1] ?? '']] : []));
  }
});
