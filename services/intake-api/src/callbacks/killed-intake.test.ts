import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { spawnService, type ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { keySpace } from '@diq/queue/test-support/test-store.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createCallbackStore } from './callback-store.ts';
import { openCallbackWorld, secretFor, type CallbackWorld } from './test-support/callback-world.ts';
import { openReceiver, type Receiver } from './test-support/receiver.ts';

const quickTakeover = { lockMs: 300, takenForMs: 100 };

describe('an intake that is killed', () => {
  const redis = useEmbeddedRedis();
  let receiver: Receiver;
  let world: CallbackWorld;
  let intake: ServiceProcess | undefined;

  beforeEach(async () => {
    await redis.flush();
    // The first call never gets an answer.
    receiver = await openReceiver({ answer: (n) => (n === 0 ? 'hold' : { status: 200 }) });
    world = await open();
    await world.stopDelivering();
  });
  afterEach(async () => {
    await intake?.stop('SIGKILL');
    await world.close();
    await receiver.close();
  });

  const open = () => openCallbackWorld({ url: redis.url, ports: [receiver.port], timing: quickTakeover });

  async function resume(): Promise<void> {
    await world.store.close();
    world = await open();
  }

  it('while it delivers loses nothing: another one delivers, under the same id', async () => {
    intake = await spawnService({
      entry: new URL('./test-support/callback-service.ts', import.meta.url),
      env: { REDIS_URL: redis.url, RECEIVER_PORT: String(receiver.port) },
      name: 'callbacks-under-test',
    });
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    const first = await receiver.next();
    intake.kill('SIGKILL');
    await intake.exited;

    await resume();
    const second = await receiver.next();
    assert.equal(second.headers['webhook-id'], first.headers['webhook-id']);
    new Webhook(secretFor(receiver.port)).verify(second.body, second.headers as Record<string, string>);
    await waitFor(async () => (await world.stateOf(id))?.state === 'delivered', { what: 'the delivery' });
    assert.equal(receiver.arrivals.length, 2);
  });

  it('between taking what is due and making a job of it loses nothing either', async () => {
    const id = await world.endRequest({ callbackUrl: receiver.url() });
    const dead = createTaker(world);
    assert.deepEqual(await dead(), [id]);
    await resume();
    const first = await receiver.next();
    assert.equal(first.headers['webhook-id'], `request-${id}-started`);
    first.answer(200);
    await waitFor(async () => (await world.stateOf(id))?.state === 'delivered', { what: 'the delivery' });
  });
});

/** What an intake does first, and nothing after it. */
function createTaker({ store }: CallbackWorld): () => Promise<readonly string[]> {
  const rate = { limit: 1, windowMs: 1 };
  const source = { keySpace, reader: store.reader };
  const callbacks = createCallbackStore({ redis: store.redis, keySpace, sourceOf: () => source, rate });
  return async () => (await callbacks.takeDue(source, 10, 100)).entries;
}
