import assert from 'node:assert/strict';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { makeCall } from '../test-support/worker-moves.ts';

const none = {
  retried: 0,
  coalesced: 0,
  alreadyRetried: 0,
  deadlinePassed: 0,
  tooManyJoined: 0,
  remaining: false,
};
const error = { code: 'call_timeout', message: 'no answer' };

describe('POST /v1/requests/retry', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_CALLS_PER_WINDOW: '50',
    INTAKE_MAX_BACKLOG: '20',
  });
  let number = 0;

  async function ended(
    by: 'playbook' | 'submitter',
    status: 'failed' | 'unknown',
    more: Parameters<typeof item>[1] = {},
  ) {
    number += 1;
    const { body } = await intake.as(by, 'post', '/v1/investigations', item(number, more)).expect(202);
    await makeCall(intake, machineId(number), { status, error, attempts: 1 });
    return (body as RequestDocument).id;
  }
  const retry = async (by: 'playbook' | 'submitter' | 'operator', body: object) =>
    (await intake.as(by, 'post', '/v1/requests/retry', body).expect(200)).body as object;
  const documentOf = async (id: string) =>
    requestDocument.parse((await intake.get(`/v1/requests/${id}`).expect(200)).body);

  it('asks again for what failed, once: one that is unknown only where that is named', async () => {
    const [failed, unknown] = [
      await ended('playbook', 'failed', { source: 'one' }),
      await ended('playbook', 'unknown', { source: 'one' }),
    ];
    assert.deepEqual(await retry('playbook', { source: 'one' }), { ...none, retried: 1 });
    assert.deepEqual(await retry('playbook', { source: 'one' }), { ...none, alreadyRetried: 1 });
    const { retriedBy = '' } = await documentOf(failed);
    assert.deepEqual([(await documentOf(retriedBy)).retryOf], [failed]);
    assert.deepEqual(await retry('playbook', { source: 'one', status: ['failed', 'unknown'] }), {
      ...none,
      retried: 1,
      alreadyRetried: 1,
    });
    assert.ok((await documentOf(unknown)).retriedBy);
  });

  it("touches the caller's own and counts no others, and everybody's for an operator", async () => {
    for (const by of ['playbook', 'submitter'] as const) await ended(by, 'failed', { source: 'two' });
    assert.deepEqual(await retry('submitter', { source: 'two', status: 'failed' }), { ...none, retried: 1 });
    assert.deepEqual(await retry('submitter', { source: 'two' }), { ...none, alreadyRetried: 1 });
    assert.deepEqual(await retry('operator', { source: 'two' }), { ...none, retried: 1, alreadyRetried: 1 });
  });

  it('marks what is retried by its id, too', async () => {
    const id = await ended('playbook', 'failed', { source: 'three' });
    await intake.as('operator', 'post', `/v1/investigations/${id}/retry`).expect(202);
    assert.deepEqual(await retry('operator', { source: 'three' }), { ...none, alreadyRetried: 1 });
  });

  it('is refused while the backlog is full, and says how far it came where it filled up meanwhile', async () => {
    for (let i = 0; i < 2; i += 1) {
      await ended('playbook', 'failed', { source: 'four' });
      await ended('submitter', 'failed', { source: 'four' });
    }
    const { body } = await intake.get('/v1/quota').expect(200);
    const { queued } = (body as { queue: { queued: number } }).queue;
    for (let left = 20 - 2 - queued; left > 0; left -= 1)
      await intake.post('/v1/investigations', item((number += 1))).expect(202);
    const first = (await retry('operator', { source: 'four' })) as { retried: number };
    assert.deepEqual(first, { ...none, retried: 2, remaining: true, stoppedBy: 'backlog_full' });
    const answer = await intake.as('operator', 'post', '/v1/requests/retry', { source: 'four' });
    expectProblem(answer, 'backlog_full');
  });
});

describe('POST /v1/investigations/retry with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no filter', {}, ''],
    ['a reason alone', { reason: 'drill' }, ''],
    ['a status that can be no retry', { status: 'started' }, 'status'],
    ['one such status among others', { status: ['failed', 'queued'] }, 'status'],
    ['no status', { status: [] }, 'status'],
    ['an empty correlation', { correlation: {} }, 'correlation'],
    ['a correlation that is no text', { correlation: { incident: 7 } }, 'correlation.incident'],
    ['a deadline in the past', { status: 'failed', notAfter: '2026-01-01T00:00:00Z' }, 'notAfter'],
    ['a misspelt filter', { source: 'a', batchid: 'x' }, 'batchid'],
    ['something that is no cursor', { source: 'a', cursor: 'x' }, 'cursor'],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name}`, async () => {
      const response = await intake.as('operator', 'post', '/v1/investigations/retry', body);
      assert.deepEqual(
        expectProblem(response, 'invalid_request').errors?.map((fault) => fault.path),
        [path],
      );
    });
  }
});
