import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { postOnce } from '../../test-support/replays.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations repeated after its first answer was lost on the way into Redis', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);

  it('tells what became of the request meanwhile, not what is told of a new one', async () => {
    const key = randomUUID();
    const first = await postOnce(intake, '/v1/investigations', item(1), key).expect(202);
    const [record = ''] = await redis.client.keys('*:idempotency:*');
    assert.equal(await redis.client.hdel(record, 'answer'), 1);
    await makeCall(intake, machineId(1), { status: 'started', investigationId: '5146', attempts: 1 });
    const repeat = await postOnce(intake, '/v1/investigations', item(1), key).expect(202);
    const { id, status, investigationId } = repeat.body as Record<string, string>;
    assert.deepEqual([id, status, investigationId], [(first.body as { id: string }).id, 'started', '5146']);
  });
});
