import assert from 'node:assert/strict';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { maxChanges } from '@diq/queue/requests/request-actions.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall } from '../test-support/worker-moves.ts';

describe('PATCH /v1/investigations/{id} of a queued request', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const change = async (id: string, body: object) =>
    requestDocument.parse(
      (await intake.as('playbook', 'patch', `/v1/investigations/${id}`, body).expect(200)).body,
    );

  it('answers with the changed document and its new place', async () => {
    const [first, second] = [await submit(1), await submit(2)];
    assert.equal((await change(second, { priority: 'critical' })).position, 1);
    const lowered = await change(second, { priority: 'low', reason: 'was a drill' });
    assert.deepEqual([lowered.priority, lowered.position], ['low', 2]);
    const { body } = await intake.get(`/v1/investigations/${first}`).expect(200);
    assert.equal((body as RequestDocument).position, 1);
  });

  it('sets a deadline, and takes it away with null', async () => {
    const id = await submit(3);
    const zoned = await change(id, { notAfter: '2099-01-01T02:00:00+02:00' });
    assert.equal(zoned.notAfter, '2099-01-01T00:00:00.000Z');
    const both = await change(id, { notAfter: null, priority: 'high' });
    assert.equal(both.notAfter, undefined);
    assert.equal(both.priority, 'high');
  });
});

describe('PATCH /v1/investigations/{id} with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['nothing to change', {}, ''],
    ['a reason alone', { reason: 'x' }, ''],
    ['an unknown priority', { priority: 'urgent' }, 'priority'],
    ['no priority', { priority: null }, 'priority'],
    ['a deadline that has passed', { notAfter: '2020-01-01T00:00:00Z' }, 'notAfter'],
    ['a deadline without a zone', { notAfter: '2099-01-01T00:00:00' }, 'notAfter'],
    ['a field that cannot be changed', { priority: 'high', comment: 'other' }, 'comment'],
    ['a list', [], ''],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name} and names the field`, async () => {
      const submitted = await intake.post('/v1/investigations', item(1)).expect(202);
      const before = submitted.body as RequestDocument;
      const response = await intake.as('playbook', 'patch', `/v1/investigations/${before.id}`, body);
      const { errors } = expectProblem(response, 'invalid_request');
      assert.deepEqual(
        errors?.map((fault) => fault.path),
        [path],
      );
      const { body: after } = await intake.get(`/v1/investigations/${before.id}`).expect(200);
      assert.equal((after as RequestDocument).priority, before.priority);
    });
  }
});

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
