import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/batches with something that is no batch', () => {
  const intake = useIntake(useEmbeddedRedis());

  const envelopes: [string, object, string][] = [
    ['no requests', {}, 'requests'],
    ['requests that are no array', { requests: 'all' }, 'requests'],
    ['an empty array', { requests: [] }, 'requests'],
    ['more than 10,000 items', { requests: Array.from({ length: 10_001 }, () => 1) }, 'requests'],
    ['an unknown field', { requests: [item(1)], dryrun: true }, 'dryrun'],
    ['unusable defaults', { requests: [item(1)], defaults: { priority: 'urgent' } }, 'defaults.priority'],
    ['a machine for all', { requests: [item(1)], defaults: { machineId: 'x' } }, 'defaults.machineId'],
    ['an array', [item(1)], ''],
  ];
  for (const [name, body, path] of envelopes) {
    it(`refuses ${name} and names the field`, async () => {
      const problem = expectProblem(await intake.post('/v1/batches', body), 'invalid_request');
      assert.deepEqual(
        problem.errors?.map((fault) => fault.path),
        [path],
      );
      assert.ok(problem.detail);
    });
  }

  it('refuses a batch without one acceptable item, telling the first fault of its first 20', async () => {
    const bad = { machineId: 'ws-042', comment: '' };
    const response = await intake.post('/v1/batches', { requests: Array.from({ length: 25 }, () => bad) });
    const { errors = [] } = expectProblem(response, 'no_acceptable_item');
    assert.deepEqual(
      errors.map(({ path }) => path),
      Array.from({ length: 20 }, (_, index) => `requests[${index}].machineId`),
    );
  });

  it('records nothing of a batch that it refuses', async () => {
    await intake.post('/v1/batches', { requests: [{}] }).expect(400);
    assert.deepEqual(await intake.tasks.waitingPage(0, 1), []);
  });

  it('tells malformed JSON from an unacceptable request', async () => {
    expectProblem(await intake.postRaw('/v1/batches', '{"requests": ['), 'malformed_json');
  });

  it('refuses JSON that is no object, and a body of no bytes', async () => {
    expectProblem(await intake.postRaw('/v1/batches', '"requests"'), 'invalid_request');
    expectProblem(await intake.postRaw('/v1/batches', ' null '), 'invalid_request');
    expectProblem(await intake.postRaw('/v1/batches', ''), 'invalid_request');
  });

  it('refuses a body that was not compressed the way it says', async () => {
    const response = await intake.postRaw('/v1/batches', '{}', { 'Content-Encoding': 'gzip' });
    expectProblem(response, 'invalid_request');
  });
});
