import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { storeKeys } from '../store-keys.ts';
import { keySpace } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import { createBusyQueueCheck } from './open-requests.ts';

describe('the check for queues in which something happens', () => {
  const store = useTestStore(useEmbeddedRedis());
  const own = { keySpace: keySpace };
  const other = { keySpace: 'test:{other}' };
  const busy = () => createBusyQueueCheck(store.redis)([own, other]);

  it('finds none where nothing was ever asked', async () => {
    assert.deepEqual(await busy(), []);
  });

  it('finds the one in which a request waits', async () => {
    const item = { machineId: 'a'.repeat(40), comment: 'why', priority: 'medium' as const };
    await store.intake.acceptBatch([item], { nowMs: Date.now() });
    assert.deepEqual(await busy(), [own]);
  });

  it('finds the one whose callbacks an intake left behind when all requests had ended', async () => {
    const { callbacksDue, callbacksMoving } = storeKeys(other.keySpace);
    await store.redis.rpush(callbacksDue, 'some-request');
    assert.deepEqual(await busy(), [other]);
    await store.redis.del(callbacksDue);
    await store.redis.zadd(callbacksMoving, Date.now(), 'some-request');
    assert.deepEqual(await busy(), [other]);
  });
});
