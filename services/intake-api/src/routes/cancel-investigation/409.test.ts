import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { beginCall, taskFor, endCall } from '../../test-support/worker-moves.ts';

describe('DELETE /v1/investigations/{id} of a request past being queued', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const cancel = (id: string) => intake.as('playbook', 'delete', `/v1/investigations/${id}`);

  it('is refused once the call was begun, and when it was made, and says so', async () => {
    const id = await submit(1);
    const call = await beginCall(intake, machineId(1));
    assert.match(expectProblem(await cancel(id), 'already_dispatched').detail ?? '', /'dispatching'/);
    await endCall(intake, call, { status: 'started', investigationId: '5146', attempts: 1 });
    assert.match(expectProblem(await cancel(id), 'already_dispatched').detail ?? '', /'started'/);
    const { body } = await intake.get(`/v1/investigations/${id}`).expect(200);
    assert.equal((body as RequestDocument).status, 'started');
  });

  it('is refused with another code when it ended without a call', async () => {
    const id = await submit(2);
    await intake.tasks.endWaiting(await taskFor(intake, machineId(2)), {
      status: 'expired',
      attempts: 0,
    });
    expectProblem(await cancel(id), 'already_ended');
  });
});
