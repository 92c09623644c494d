import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { maxChanges } from '@diq/queue/requests/request-actions.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { beginCall } from '../../test-support/worker-moves.ts';

describe('PATCH /v1/investigations/{id} of a request past being queued', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const change = (id: string) =>
    intake.as('playbook', 'patch', `/v1/investigations/${id}`, { priority: 'critical' });

  it('is refused once the call was begun', async () => {
    const id = await submit(1);
    await beginCall(intake, machineId(1));
    expectProblem(await change(id), 'already_dispatched');
  });

  it('is refused when it was changed as often as a request may be', async () => {
    const id = await submit(3);
    for (let times = 0; times < maxChanges; times += 1) assert.equal((await change(id)).status, 200);
    expectProblem(await change(id), 'changed_too_often');
    await intake.as('playbook', 'delete', `/v1/investigations/${id}`).expect(200);
  });

  it('is refused when it was cancelled', async () => {
    const id = await submit(2);
    await intake.as('playbook', 'delete', `/v1/investigations/${id}`).expect(200);
    expectProblem(await change(id), 'already_ended');
  });
});
