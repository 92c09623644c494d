import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/batches with a dryRun that is neither true nor false', () => {
  const intake = useIntake(useEmbeddedRedis());

  for (const query of [
    'dryRun=',
    'dryRun=1',
    'dryRun=True',
    'dryRun=yes',
    'dryRun',
    'dryRun=true&dryRun=true',
  ]) {
    it(`refuses ?${query} and records nothing`, async () => {
      const response = await intake.post(`/v1/batches?${query}`, { requests: [item(1)] });
      const problem = expectProblem(response, 'invalid_request');
      assert.deepEqual(problem.errors, [{ path: 'dryRun', message: 'must be true or false' }]);
      assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
    });
  }
});
