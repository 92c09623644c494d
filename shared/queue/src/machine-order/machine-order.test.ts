import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createMachineOrder, enteredAtMs, type OrderedAct } from './machine-order.ts';

const tenantId = 'c0ffee';
const act = (operation: string, machineId = 'm-1', parameters = ''): OrderedAct => ({
  machineId,
  operation,
  key: `${machineId}${parameters}`,
});
const [isolate, unisolate] = [act('isolate'), act('unisolate')];

describe('the order of operations on a machine', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  const order = (name = 'isolation') => createMachineOrder(store.redis, tenantId, name);

  async function enterOne(asked: OrderedAct) {
    const [place = assert.fail()] = await order().enter([asked]);
    return { ...asked, place };
  }
  const firstOf = async (asked: Parameters<ReturnType<typeof order>['firstOf']>[0][number]) =>
    (await order().firstOf([asked]))[0];

  it('gives one place to requests that ask for the same one after the other, and each other one a later place', async () => {
    const places = await order().enter([isolate, isolate, unisolate, isolate, act('isolate', 'm-2')]);
    const [first, same, contrary, again, other] = places.map(Number);
    assert.equal(first, same);
    assert.ok(first! < contrary! && contrary! < again! && again! < other!);
    const [parameters] = await order().enter([act('isolate', 'm-2', ':Full')]);
    assert.notEqual(parameters, places[4]);
  });

  it('lets what was accepted first go first, and the next when that has left', async () => {
    const [first, second] = [await enterOne(isolate), await enterOne(unisolate)];
    assert.deepEqual(await firstOf(second), first);
    assert.deepEqual(await firstOf(first), first);
    assert.equal(await order().leave(second), false, 'it does not stand first');
    assert.equal(await order().leave(first), true);
    assert.deepEqual(await firstOf(second), second);
    assert.equal(await order().leave(second), false, 'nothing is behind it');
    assert.equal((await enterOne(unisolate)).place, second.place);
  });

  it('has machines, tenants and orders apart', async () => {
    const first = await enterOne(isolate);
    const elsewhere = {
      ...act('unisolate', 'm-2'),
      place: (await order().enter([act('unisolate', 'm-2')]))[0]!,
    };
    assert.deepEqual(await firstOf(elsewhere), elsewhere);
    const [another = ''] = await order('codeExecution').enter([isolate]);
    assert.notEqual(another, first.place);
    const [ofOther = ''] = await createMachineOrder(store.redis, 'other', 'isolation').enter([unisolate]);
    const mine = await createMachineOrder(store.redis, 'other', 'isolation').firstOf([
      { ...unisolate, place: ofOther },
    ]);
    assert.equal(mine[0]?.place, ofOther);
  });

  it('enters one again that is not known any more, behind all others', async () => {
    const lost = await enterOne(isolate);
    await redis.flush();
    const second = await enterOne(unisolate);
    assert.deepEqual(await firstOf(lost), second);
    assert.equal(await order().leave(second), true);
    assert.deepEqual(await firstOf(lost), lost);
  });

  it('is looked at without being changed', async () => {
    const [place] = await order().enter([isolate]);
    const before = await redis.client.dbsize();
    assert.deepEqual(await order().look([isolate, unisolate, act('isolate', 'm-3')]), [place, '', '']);
    assert.equal(await redis.client.dbsize(), before);
    assert.deepEqual(await order().look([isolate]), [place]);
  });

  it('has places that grow though the clock of Redis stands still or goes back, and that say when they were given', async () => {
    const first = await enterOne(isolate);
    const future = Number(first.place) + 1e9;
    await redis.client.set(`diq:{${tenantId}/order}:isolation:last`, String(future));
    const second = await enterOne(unisolate);
    assert.equal(Number(second.place), future + 1);
    const [, microseconds] = await redis.client.time();
    assert.ok(microseconds !== undefined);
    assert.ok(Math.abs(enteredAtMs(first) - Date.now()) < 60_000);
  });

  it('takes any number of acts, some hundred with each script', async () => {
    const acts = Array.from({ length: 600 }, (_, i) => act('isolate', `m-${i % 300}`));
    const places = await order().enter(acts);
    assert.deepEqual(places.slice(300), places.slice(0, 300));
    assert.equal(new Set(places).size, 300);
    const first = await order().firstOf(acts.map((one, i) => ({ ...one, place: places[i]! })));
    assert.deepEqual(
      first.map(({ place }) => place),
      places,
    );
  });
});
