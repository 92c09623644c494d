import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations/cancel with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no filter: nobody cancels everything by a slip', {}, ''],
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
