import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';

describe('POST /v1/queue/pause with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no reason', {}, 'reason'],
    ['an empty reason', { reason: ' ' }, 'reason'],
    ['an end that has passed', { reason: 'x', until: '2020-01-01T00:00:00Z' }, 'until'],
    ['an end that is no time', { reason: 'x', until: 'tomorrow' }, 'until'],
    ['an unknown field', { reason: 'x', for: '1h' }, 'for'],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name}, and nothing is paused`, async () => {
      const response = await intake.as('operator', 'post', '/v1/queue/pause', body);
      assert.deepEqual(
        expectProblem(response, 'invalid_request').errors?.map((fault) => fault.path),
        [path],
      );
      assert.deepEqual((await intake.ledger.snapshot()).holdsOn, []);
    });
  }
});
