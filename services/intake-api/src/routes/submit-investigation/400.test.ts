import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
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

  it('refuses what is not UTF-8 and says so, also compressed', async () => {
    const latin = Buffer.from(JSON.stringify(item(1, { comment: 'Gerät' })), 'latin1');
    for (const [bytes, headers] of [
      [latin, {}],
      [gzipSync(latin), { 'Content-Encoding': 'gzip' }],
    ] as const) {
      const response = await intake.postRaw('/v1/investigations', bytes, headers);
      assert.match(expectProblem(response, 'malformed_json').detail ?? '', /not UTF-8/);
    }
  });

  it('refuses a field that is given twice and names it', async () => {
    const doubled = JSON.stringify(item(1)).replace('{', String.raw`{"machine\u0049d":"x",`);
    const problem = expectProblem(await intake.postRaw('/v1/investigations', doubled), 'invalid_request');
    assert.deepEqual(problem.errors, [{ path: 'machineId', message: 'is given more than once' }]);
  });
});
