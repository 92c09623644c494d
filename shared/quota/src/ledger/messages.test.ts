import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { call, keySpace, started, useLedger } from '../test-support/use-ledger.ts';

describe('the message by which other workers learn that the ledger changed', () => {
  const server = useEmbeddedRedis();
  const ledger = useLedger(server);
  let subscriber: Redis;
  let messages: string[];
  beforeEach(async () => {
    messages = [];
    subscriber = new Redis(server.url);
    subscriber.on('message', (_channel, message: string) => messages.push(message));
    await subscriber.subscribe('diq:wakes');
  });
  afterEach(() => subscriber.disconnect());

  const untilTold = (count: number) =>
    waitFor(() => messages.length >= count, { what: `${count} messages`, intervalMs: 1 });

  it('follows a call, its answer, and a permit that is given back, and names the worker', async () => {
    const own = await ledger.withSettings({ processId: 'worker-1' });
    messages = [];
    await own.spend(call(1));
    await own.recordAnswer('call-1', { ...started, mayRepeat: false });
    await own.spend(call(2));
    await own.giveBack('call-2');
    await untilTold(4);
    assert.deepEqual(messages, Array(4).fill(`call ${keySpace} worker-1`));
  });

  it('follows nothing that was refused', async () => {
    const own = await ledger.withSettings({ processId: 'worker-1' });
    await own.spend(call(1));
    await own.spend(call(2));
    await untilTold(2);
    messages = [];
    assert.equal((await own.spend(call(3))).kind, 'full');
    await own.giveBack('call-2');
    await untilTold(1);
    assert.equal(messages.length, 1);
  });

  it('follows a handover, which all workers have to take part in', async () => {
    const own = await ledger.withSettings({ processId: 'worker-1' });
    await own.spend(call(1));
    await untilTold(1);
    messages = [];
    // As on a Redis that was failed over to.
    await server.client.hset(`${keySpace}:ledger:generation`, 'server', 'another');
    await own.open();
    await untilTold(1);
    assert.deepEqual(messages, [`call ${keySpace} worker-1`]);
    await own.open();
    await own.spend(call(2)).catch(() => undefined);
    assert.equal(messages.length, 1);
  });
});
