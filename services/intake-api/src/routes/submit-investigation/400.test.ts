import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations with an unacceptable item', () => {
  const intake = useIntake(useEmbeddedRedis());

  const bodies: [string, object, string][] = [
    ['a host name for a machine id', item(1, { machineId: 'ws-042.corp.example' }), 'machineId'],
    ['a missing comment', { machineId: item(1).machineId }, 'comment'],
    ['an empty comment', item(1, { comment: ' ' }), 'comment'],
    ['a comment that is too long', item(1, { comment: 'x'.repeat(4_001) }), 'comment'],
    ['an unknown priority', item(1, { priority: 'urgent' }), 'priority'],
    ['a deadline in the past', item(1, { notAfter: '2020-01-01T00:00:00Z' }), 'notAfter'],
    ['a deadline without a zone', item(1, { notAfter: '2099-01-01T00:00:00' }), 'notAfter'],
    ['an unknown field', item(1, { notafter: '2099-01-01T00:00:00Z' }), 'notafter'],
    [
      'a field named __proto__',
      JSON.parse('{"__proto__": {}, "machineId": "0", "comment": "x"}') as object,
      'machineId',
    ],
  ];
  for (const [name, body, path] of bodies) {
    it(`refuses ${name} and names the field`, async () => {
      const problem = expectProblem(await intake.post('/v1/investigations', body), 'invalid_request');
      assert.equal(problem.errors?.[0]?.path, path);
      assert.match(problem.detail ?? '', new RegExp(`^${path}\\b`));
    });
  }

  it('names every fault at once', async () => {
    const response = await intake.post('/v1/investigations', { machineId: 1, priority: 'x', foo: 1 });
    const { errors = [] } = expectProblem(response, 'invalid_request');
    assert.deepEqual(
      errors.map(({ path }) => path),
      ['machineId', 'comment', 'priority', 'foo'],
    );
  });

  it('refuses malformed JSON', async () => {
    expectProblem(await intake.postRaw('/v1/investigations', '{machineId: 1}'), 'malformed_json');
  });
});
