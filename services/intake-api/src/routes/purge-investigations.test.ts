import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, unknownId } from '../test-support/items.ts';

describe('POST /v1/investigations/purge', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('deletes what has ended and tells how much; what is open can be read as before', async () => {
    const requests = [item(1), item(2), { comment: 'refused' }];
    const { body: ended } = await intake.as('submitter', 'post', '/v1/batches', { requests }).expect(202);
    const { id } = ended as { id: string };
    await intake.as('submitter', 'delete', `/v1/batches/${id}`).expect(200);
    const open = (await intake.as('submitter', 'post', '/v1/investigations', item(3)).expect(202)).body as {
      id: string;
    };
    const purge = async (filter: object) =>
      (await intake.as('operator', 'post', '/v1/investigations/purge', filter).expect(200)).body as object;
    assert.deepEqual(await purge({ caller: 'unknown-caller' }), {
      requests: 0,
      batches: 0,
      remaining: false,
    });
    const done = await purge({ caller: 'submitter', endedBefore: '2999-01-01T00:00:00Z', reason: 'drill' });
    assert.deepEqual(done, { requests: 2, batches: 1, remaining: false });
    await intake.get(`/v1/batches/${id}`).expect(404);
    await intake.get(`/v1/investigations/${open.id}`).expect(200);
    const { body } = await intake.as('operator', 'get', '/v1/audit').expect(200);
    const [last] = (body as { value: { action: string; reason: string }[] }).value;
    assert.deepEqual([last?.action, last?.reason], ['purge_done', 'drill']);
  });
});

describe('POST /v1/investigations/purge with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no filter: a slip must not delete everything', {}, ''],
    ['a reason alone', { reason: 'drill' }, ''],
    ['a misspelt filter', { caller: 'a', endedbefore: '2026-01-01T00:00:00Z' }, 'endedbefore'],
    ['something that is no batch', { batchId: '*' }, 'batchId'],
    ['a batch and a caller', { batchId: unknownId, caller: 'a' }, ''],
    ['a time without a zone', { endedBefore: '2026-01-01T00:00:00' }, 'endedBefore'],
    ['an empty caller', { caller: '' }, 'caller'],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name}`, async () => {
      const response = await intake.as('operator', 'post', '/v1/investigations/purge', body);
      assert.deepEqual(
        expectProblem(response, 'invalid_request').errors?.map((fault) => fault.path),
        [path],
      );
    });
  }
});
