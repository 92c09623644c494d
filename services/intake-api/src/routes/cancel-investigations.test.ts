import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';

describe('POST /v1/investigations/cancel', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('cancels what is queued and fits all filters', async () => {
    const requests = [item(1, { source: 'a' }), item(2, { source: 'a' }), item(3, { source: 'b' })];
    await intake.post('/v1/batches', { requests }).expect(202);
    const cancel = async (filter: object) =>
      (await intake.as('playbook', 'post', '/v1/investigations/cancel', filter).expect(200)).body as object;
    const answer = (cancelled: number) => ({ cancelled, alreadyDispatched: 0, remaining: false });
    assert.deepEqual(await cancel({ source: 'b', machineId: machineId(1) }), answer(0));
    assert.deepEqual(await cancel({ source: 'a', machineId: machineId(1), reason: 'drill' }), answer(1));
    assert.deepEqual(await cancel({ source: 'a' }), answer(1));
    const { body } = await intake.get('/v1/investigations?status=queued').expect(200);
    assert.deepEqual(
      (body as { value: { machineId: string }[] }).value.map((one) => one.machineId),
      [machineId(3)],
    );
  });
});

describe('POST /v1/investigations/cancel with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no filter: a slip must not cancel everything', {}, ''],
    ['a reason alone', { reason: 'drill' }, ''],
    ['a misspelt filter', { source: 'a', batchid: 'x' }, 'batchid'],
    ['something that is no batch', { batchId: '*' }, 'batchId'],
    ['something that is no machine', { machineId: 'ws-1' }, 'machineId'],
    ['an empty source', { source: '' }, 'source'],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name}`, async () => {
      await intake.post('/v1/investigations', item(1)).expect(202);
      const response = await intake.post('/v1/investigations/cancel', body);
      assert.deepEqual(
        expectProblem(response, 'invalid_request').errors?.map((fault) => fault.path),
        [path],
      );
      assert.equal(await intake.tasks.countWaiting(), 1);
    });
  }
});
