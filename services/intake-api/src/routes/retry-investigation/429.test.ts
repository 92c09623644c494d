import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations/{id}/retry for a machine that too many wait for', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is refused like any other request', async function () {
    this.timeout(20_000);
    const { body } = await intake.post('/v1/investigations', item(1)).expect(202);
    await makeCall(intake, machineId(1), { status: 'failed', attempts: 1 });
    const requests = Array.from({ length: 5_001 }, () => item(1));
    await intake.post('/v1/batches', { requests }).expect(202);
    const { id } = body as RequestDocument;
    expectProblem(await intake.as('operator', 'post', `/v1/investigations/${id}/retry`), 'too_many_joined');
  });
});
