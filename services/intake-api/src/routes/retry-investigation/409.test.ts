import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations/{id}/retry of anything else', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });

  const submit = async (number: number, more = {}) =>
    ((await intake.post('/v1/investigations', item(number, more)).expect(202)).body as RequestDocument).id;
  const retry = (id: string) => intake.as('operator', 'post', `/v1/investigations/${id}/retry`);

  it('is refused while it waits, and when it was started or cancelled', async () => {
    const [waiting, started, cancelled] = [await submit(1), await submit(2), await submit(3)];
    await makeCall(intake, machineId(2), { status: 'started', investigationId: '5146', attempts: 1 });
    await intake.as('playbook', 'delete', `/v1/investigations/${cancelled}`).expect(200);
    for (const id of [waiting, started, cancelled]) expectProblem(await retry(id), 'nothing_to_retry');
  });

  it('is refused when its deadline has passed: the caller said not after', async () => {
    const notAfter = new Date(Date.now() + 300).toISOString();
    const id = await submit(4, { notAfter });
    await makeCall(intake, machineId(4), { status: 'failed', attempts: 1 });
    await waitFor(() => Promise.resolve(Date.now() > Date.parse(notAfter)), { what: 'the deadline to pass' });
    expectProblem(await retry(id), 'deadline_passed');
  });
});
