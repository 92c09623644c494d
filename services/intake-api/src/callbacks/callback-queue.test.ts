import assert from 'node:assert/strict';
import { createJobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createCallbackQueue } from './callback-queue.ts';

describe('the queue of callbacks', () => {
  const redis = useEmbeddedRedis();
  const noError = (error: Error) => assert.fail(error);

  it('may be the first on a connection: jobs of recorded tasks go in while Redis is full all the same', async () => {
    const logger = createLogger({ level: 'silent', service: 'test' });
    const connection = openFailFastConnection({ address: parseRedisUrl(redis.url), name: 'test', logger });
    await waitUntilReady(connection, 5_000);
    const callbacks = createCallbackQueue(connection, 'diq:{callbacks}', noError);
    const jobs = createJobQueue(connection, 'diq:{contoso}', noError);
    try {
      await redis.client.config('SET', 'maxmemory', '1');
      await jobs.add([{ taskId: 'first', jobPriority: 1 }]);
      await callbacks.add([{ kind: 'request', id: 'one' }]);
      assert.equal(await jobs.countReady(), 1);
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
      await Promise.all([callbacks.close(), jobs.close()]);
      await closeRedis(connection);
    }
  });
});
