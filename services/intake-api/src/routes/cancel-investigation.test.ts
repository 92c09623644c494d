import assert from 'node:assert/strict';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, unknownId } from '../test-support/items.ts';
import { beginCall, endCall, taskFor } from '../test-support/worker-moves.ts';

describe('DELETE /v1/investigations/{id} of a queued request', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const cancel = async (id: string, query = '') =>
    requestDocument.parse(
      (await intake.as('playbook', 'delete', `/v1/investigations/${id}${query}`).expect(200)).body,
    );

  it('answers with the cancelled document, and no call will be made', async () => {
    const id = await submit(1);
    const document = await cancel(id);
    assert.equal(document.id, id);
    assert.equal(document.status, 'cancelled');
    assert.equal(document.position, undefined);
    assert.equal(await intake.tasks.countWaiting(), 0);
    assert.equal(await intake.jobs.countAll(), 0);
  });

  it('answers the same when it is repeated, with one entry in the record', async () => {
    const id = await submit(2);
    const first = await cancel(id, '?reason=false%20positive');
    assert.deepEqual(await cancel(id, '?reason=again'), first);
    const { value } = (await intake.as('operator', 'get', '/v1/audit').expect(200)).body as {
      value: Record<string, unknown>[];
    };
    const entries = value.filter(({ requestId }) => requestId === id);
    assert.deepEqual(
      entries.map(({ action, by, reason }) => ({ action, by, reason })),
      [{ action: 'cancel', by: 'playbook', reason: 'false positive' }],
    );
  });

  it('leaves others that share the call in their place', async () => {
    const [first, second] = [await submit(3), await submit(3)];
    await cancel(first);
    const { body } = await intake.get(`/v1/investigations/${second}`).expect(200);
    const left = requestDocument.parse(body);
    assert.deepEqual([left.status, left.position], ['queued', 1]);
  });
});

describe('DELETE /v1/investigations/{id} with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of ['reason=', `reason=${'x'.repeat(501)}`, 'reason=a&reason=b', 'why=x']) {
    it(`refuses ${query.slice(0, 20)}`, async () => {
      const response = await intake.as('operator', 'delete', `/v1/investigations/${unknownId}?${query}`);
      assert.equal(expectProblem(response, 'invalid_request').errors?.length, 1);
    });
  }
});

describe('DELETE /v1/investigations/{id} of a request past being queued', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const cancel = (id: string) => intake.as('playbook', 'delete', `/v1/investigations/${id}`);

  it('is refused once the call was begun, and when it was made, and says so', async () => {
    const id = await submit(1);
    const call = await beginCall(intake, machineId(1));
    assert.match(expectProblem(await cancel(id), 'already_dispatched').detail ?? '', /'dispatching'/);
    await endCall(intake, call, {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
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
