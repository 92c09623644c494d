import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';

describe('POST /v1/investigations/purge with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no filter: nobody deletes everything by a slip', {}, ''],
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
