import assert from 'node:assert/strict';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, unknownId } from '../test-support/items.ts';
import { makeCall } from '../test-support/worker-moves.ts';

describe('POST /v1/investigations/{id}/retry of what failed or is unknown', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });
  const error = { code: 'call_timeout', message: 'no answer' };

  async function ended(number: number, status: 'failed' | 'unknown') {
    const more = { source: 'soar', correlation: { incident: '7' }, priority: 'high' };
    const { body } = await intake.post('/v1/investigations', item(number, more)).expect(202);
    await makeCall(intake, machineId(number), { status, error, attempts: 1 });
    return (body as RequestDocument).id;
  }
  const retry = (id: string, body?: object) =>
    intake.as('operator', 'post', `/v1/investigations/${id}/retry`, body).expect(202);

  for (const [number, status] of [
    [1, 'failed'],
    [2, 'unknown'],
  ] as const) {
    it(`makes a new request of one that is ${status}, which says the same and leads back to it`, async () => {
      const id = await ended(number, status);
      const response = await retry(id, { reason: 'agent is back' });
      const again = requestDocument.parse(response.body);
      assert.notEqual(again.id, id);
      assert.deepEqual([again.status, again.retryOf, again.attempts], ['queued', id, 0]);
      assert.equal(response.headers['location'], `/v1/investigations/${again.id}/result`);
      const before = requestDocument.parse((await intake.get(`/v1/investigations/${id}`).expect(200)).body);
      assert.equal(before.status, status);
      for (const field of ['machineId', 'comment', 'priority', 'source', 'correlation'] as const) {
        assert.deepEqual(again[field], before[field]);
      }
      const { value } = (await intake.as('operator', 'get', '/v1/audit?limit=1').expect(200)).body as {
        value: Record<string, unknown>[];
      };
      const { action, by, reason, requestId, retriedBy } = value[0] ?? {};
      assert.deepEqual(
        { action, by, reason, requestId, retriedBy },
        { action: 'retry', by: 'operator', reason: 'agent is back', requestId: id, retriedBy: again.id },
      );
    });
  }

  it('stays with the caller of the request that it repeats, and uses a turn of that one', async () => {
    const submitAs = async (key: 'operator' | 'playbook', number: number) => {
      const { body } = await intake.as(key, 'post', '/v1/investigations', item(number)).expect(202);
      return (body as RequestDocument).id;
    };
    const id = await submitAs('playbook', 10);
    await makeCall(intake, machineId(10), { status: 'failed', error, attempts: 1 });
    await submitAs('operator', 11);
    for (const number of [12, 13]) await submitAs('playbook', number);
    const { id: again } = (await retry(id)).body as RequestDocument;
    const other = await submitAs('operator', 14);
    const place = async (of: string) =>
      ((await intake.get(`/v1/investigations/${of}`).expect(200)).body as RequestDocument).position ?? 0;
    assert.ok((await place(other)) < (await place(again)));
  });

  it('is open to the caller that asked, who may only submit: a receipt; of others it learns nothing', async () => {
    const { body } = await intake.as('submitter', 'post', '/v1/investigations', item(20)).expect(202);
    await makeCall(intake, machineId(20), { status: 'failed', error, attempts: 1 });
    const { id } = body as RequestDocument;
    const again = await intake.as('submitter', 'post', `/v1/investigations/${id}/retry`).expect(202);
    const receipt = again.body as RequestDocument;
    assert.deepEqual(Object.keys(receipt).toSorted(), ['id', 'status']);
    const retried = requestDocument.parse(
      (await intake.get(`/v1/investigations/${receipt.id}`).expect(200)).body,
    );
    assert.deepEqual([retried.retryOf, retried.status], [id, 'queued']);
    const other = await intake.post('/v1/investigations', item(21)).expect(202);
    const others = (other.body as RequestDocument).id;
    const path = `/v1/investigations/${others}/retry`;
    expectProblem(await intake.as('submitter', 'post', path), 'request_not_found');
    expectProblem(await intake.as('reader', 'post', path), 'forbidden');
  });

  it('joins the first retry when it is repeated: one call is made for both', async () => {
    const id = await ended(3, 'failed');
    const first = (await retry(id)).body as RequestDocument;
    const second = (await retry(id)).body as RequestDocument;
    assert.equal(second.coalescedWith, first.id);
  });
});

describe('POST /v1/investigations/{id}/retry and move-to-head with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuse what they do not know', async () => {
    for (const action of ['retry', 'move-to-head']) {
      const path = `/v1/investigations/${unknownId}/${action}`;
      expectProblem(await intake.as('operator', 'post', path, { reason: 7 }), 'invalid_request');
      expectProblem(await intake.as('operator', 'post', path, { priority: 'high' }), 'invalid_request');
    }
  });
});

describe('POST /v1/investigations/{id}/retry of anything else', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });

  const submit = async (number: number, more = {}) =>
    ((await intake.post('/v1/investigations', item(number, more)).expect(202)).body as RequestDocument).id;
  const retry = (id: string) => intake.as('operator', 'post', `/v1/investigations/${id}/retry`);

  it('is refused while it waits, and when it was started or cancelled', async () => {
    const [waiting, started, cancelled] = [await submit(1), await submit(2), await submit(3)];
    await makeCall(intake, machineId(2), {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
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
