import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { writePosition } from '../../http/cursor.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { unknownId } from '../../test-support/items.ts';

describe('GET /v1/investigations with a faulty query', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [query: string, path: string][] = [
    ['status=waiting', 'status'],
    ['source=victim%00z', 'source'],
    ['source=a%0Ab', 'source'],
    ['source=a&source=b', 'source'],
    ['status=queued&status=failed', 'status'],
    ['machineId=ws-1', 'machineId'],
    ['batchId=*', 'batchId'],
    ['source=', 'source'],
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['limit=all', 'limit'],
    ['cursor=abc', 'cursor'],
    [`cursor=${writePosition('4')}`, 'cursor'],
    [`batchId=${unknownId}&cursor=${writePosition(unknownId)}`, 'cursor'],
    ['page=2', 'page'],
  ];
  for (const [query, path] of faults) {
    it(`refuses ${query.slice(0, 30)} and names ${path}`, async () => {
      const { errors } = expectProblem(await intake.get(`/v1/investigations?${query}`), 'invalid_request');
      assert.deepEqual(
        errors?.map((fault) => fault.path),
        [path],
      );
    });
  }
});
