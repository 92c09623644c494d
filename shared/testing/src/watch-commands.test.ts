import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { useEmbeddedRedis } from './shared-redis.ts';
import { watchCommands } from './watch-commands.ts';

describe('watching commands', () => {
  const redis = useEmbeddedRedis();

  it('begins while other clients send commands', async () => {
    const busy = new Redis(redis.url);
    let isOver = false;
    const others = (async () => {
      while (!isOver) await Promise.all(Array.from({ length: 50 }, () => busy.ping()));
    })();
    try {
      for (let i = 0; i < 20; i++) {
        const watch = await watchCommands(redis.client);
        await watch.untilNow();
        assert.ok(watch.seen.some(([name]) => name === 'echo'));
        watch.close();
      }
    } finally {
      isOver = true;
      await others;
      await busy.quit();
    }
  });

  it('shows each argument as it was sent, and what a script does', async () => {
    const watch = await watchCommands(redis.client);
    const sent = [
      'a "quoted" one',
      'söurce 🚨',
      'back\\slash',
      'line\r\nend\t',
      '\x00\x07\b',
      '',
      'xn \\x41',
    ];
    await redis.client.rpush('list', ...sent);
    await redis.client.eval('redis.call("SET", KEYS[1], "1")', 1, 'by-script');
    await watch.untilNow();
    watch.close();
    const shown = watch.seen.map(([name = '', ...args]) => [name.toLowerCase(), ...args]);
    assert.deepEqual(
      shown.find(([name]) => name === 'rpush'),
      ['rpush', 'list', ...sent],
    );
    assert.deepEqual(
      shown.find(([name]) => name === 'set'),
      ['set', 'by-script', '1'],
    );
  });
});
