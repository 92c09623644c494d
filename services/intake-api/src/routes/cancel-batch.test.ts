import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall } from '../test-support/worker-moves.ts';

describe('DELETE /v1/batches/{id}', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('cancels what is queued, tells what was too late, and can be repeated', async () => {
    const requests = Array.from({ length: 5 }, (_, number) => item(number + 1));
    const { body } = await intake.post('/v1/batches', { requests }).expect(202);
    const { id } = body as { id: string };
    await beginCall(intake, machineId(3));
    const cancel = () => intake.as('playbook', 'delete', `/v1/batches/${id}?reason=drill`).expect(200);
    const first = await cancel();
    assert.deepEqual(first.body, { id, cancelled: 4, alreadyDispatched: 1, remaining: false });
    assert.deepEqual((await cancel()).body, { id, cancelled: 0, alreadyDispatched: 1, remaining: false });
    const batch = (await intake.get(`/v1/batches/${id}`).expect(200)).body as {
      counts: Record<string, number>;
    };
    assert.equal(batch.counts['cancelled'], 4);
    assert.equal(batch.counts['dispatching'], 1);
  });
});
