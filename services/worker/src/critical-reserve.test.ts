import assert from 'node:assert/strict';
import type { Priority } from '@diq/contracts/priority.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { criticalReserve } from './critical-reserve.ts';
import { useBench } from './test-support/use-bench.ts';
import { deferred, inTurn, loopWorld, ticketNamed, useDrawLoops, view } from './test-support/loop-world.ts';

/** A queue in which the first ticket is of this class, and every other of the second. */
function reserveWith(reserveForCritical: number, next: Priority | undefined, drawn = next) {
  return criticalReserve(
    { reserveForCritical },
    {
      tickets: {
        next: async () => (next === undefined ? undefined : 'next'),
        nextOnes: async () => ['next'],
        setRanks: async () => assert.fail('nobody is to be moved'),
      },
      dispatches: { classOf: async (id) => (id === 'next' ? next : drawn), firstOf: async () => undefined },
    },
  );
}

/** Tells what it was given and never ends, so that the loop stands still. */
function standStill(tell: (dispatchId: string) => void) {
  return ({ dispatchId }: { dispatchId: string }) => {
    tell(dispatchId);
    return new Promise<void>(() => undefined);
  };
}

describe('slots kept for critical requests', () => {
  const { start } = useDrawLoops();

  it('stay free while nobody critical is next, and count neither as idle nor as a standstill', async () => {
    const turns = deferred();
    let left = 3;
    const idle: number[] = [];
    const { told, options } = loopWorld(reserveWith(1, 'high'));
    const loop = start({
      ...options,
      onIdle: (seconds) => idle.push(seconds),
      onTurn: () => --left === 0 && turns.resolve(),
    });
    await turns.promise;
    assert.deepEqual(told, []);
    assert.deepEqual([idle, loop.stalledForMs()], [[], 0]);
  });

  it('go to whoever is critical', async () => {
    const served = deferred<string>();
    const { options } = loopWorld(reserveWith(1, 'critical'));
    start({ ...options, serve: standStill((id) => served.resolve(id)) });
    assert.equal(await served.promise, 'ticket-1');
  });

  it('are given back, with the ticket, when another worker drew the critical one', async () => {
    const back = deferred<string>();
    const { told, options } = loopWorld(reserveWith(1, 'critical', 'high'));
    const draw = async () => ({ ...ticketNamed('ordinary'), putBack: async () => back.resolve('ordinary') });
    start({ ...options, draw, serve: async () => assert.fail('not to be served') });
    assert.equal(await back.promise, 'ordinary');
    assert.ok(told.includes('release'));
  });

  it('are none of the others: those go to anybody', async () => {
    const served = deferred();
    const { options } = loopWorld(reserveWith(1, 'low'));
    const two = { ...view(), limit: 2, quotaLimit: 2 };
    start({ ...options, look: inTurn(two), serve: standStill(() => served.resolve()) });
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
    await worker.tickets.setRanks([{ dispatchId: moved.dispatchId, rank: 900 }]);
    const { isCriticalNext, isCritical } = criticalReserve({ reserveForCritical: 1 }, worker);
    assert.equal(await isCriticalNext(), false);
    assert.deepEqual(await worker.tickets.nextOnes(9), [moved.dispatchId, other.dispatchId]);

    const critical = await bench.accept({ priority: 'critical' });
    assert.equal(await worker.tickets.next(), moved.dispatchId);
    assert.equal(await isCriticalNext(), true);
    const order = [critical.dispatchId, moved.dispatchId, other.dispatchId];
    assert.deepEqual(await worker.tickets.nextOnes(9), order);
    const ticket = await worker.drawer.draw();
    assert.ok(ticket && (await isCritical(ticket)));
    assert.equal(await worker.serve(ticket), 'kept');
    assert.equal((await bench.read(critical.requestId)).status, 'started');
    assert.equal(await isCriticalNext(), false);
  });
});
