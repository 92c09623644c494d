import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { restoreTickets } from './restore-tickets.ts';
import { arrivedAtMs, item, keySpace, machine, openTestStore } from './test-support/test-store.ts';
import type { TestStore } from './test-support/test-store.ts';

describe('restoreTickets', () => {
  const redis = useEmbeddedRedis();
  let store: TestStore;
  beforeEach(async () => {
    await redis.flush();
    store = await openTestStore(redis.url);
  });
  afterEach(() => store.close());

  async function acceptMany(count: number): Promise<string[]> {
    const items = Array.from({ length: count }, (_, i) => item({ machineId: machine(i) }));
    const { accepted } = await store.intake.acceptBatch(items, arrivedAtMs);
    return Promise.all(accepted.map(async (one) => (await store.request(one!.id)).dispatchId));
  }

  it('gives a lost ticket back at the place of its dispatch, and touches no other', async () => {
    const [first, second, third] = await acceptMany(3);
    const urgent = await store.intake.acceptOne(
      item({ machineId: machine(9), priority: 'critical' }),
      arrivedAtMs,
    );
    const { dispatchId: urgentId } = await store.request(urgent.id);
    await store.tickets.remove(urgentId);
    await store.tickets.remove(second!);
    assert.equal(await restoreTickets(store.dispatches, store.tickets), 2);
    assert.deepEqual(await store.tickets.positions([urgentId, first!, second!, third!]), [1, 2, 3, 4]);
    assert.equal(await restoreTickets(store.dispatches, store.tickets), 0);
  });

  it('gives none to a dispatch whose call is under way or that is settled', async () => {
    const [sending, settled] = await acceptMany(2);
    await store.dispatches.begin(sending!, 'call-1');
    await store.dispatches.endWaiting(settled!, { status: 'cancelled', attempts: 0 });
    for (const id of [sending!, settled!]) await store.tickets.remove(id);
    assert.equal(await restoreTickets(store.dispatches, store.tickets), 0);
    assert.equal(await store.tickets.countAll(), 0);
  });

  it('finds them all, however many and however far back', async () => {
    const ids = await acceptMany(1_001);
    const lost = ids.filter((_, i) => i % 100 === 0);
    for (const id of lost) await store.tickets.remove(id);
    assert.equal(await restoreTickets(store.dispatches, store.tickets), lost.length);
    assert.equal(await store.tickets.countReady(), 1_001);
  });

  it('restores the whole order when the queue lost everything', async () => {
    const ids = await acceptMany(20);
    const names = await redis.client.keys(`${keySpace}:queue:*`);
    await redis.client.del(...names);
    assert.equal(await restoreTickets(store.dispatches, store.tickets), 20);
    assert.deepEqual(new Set(await store.tickets.have(ids)), new Set([true]));
    assert.equal(await store.tickets.countReady(), 20);
  });

  it('does nothing where nothing waits', async () => {
    assert.equal(await restoreTickets(store.dispatches, store.tickets), 0);
  });
});
