import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('PATCH /v1/investigations/{id} with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['nothing to change', {}, ''],
    ['a reason alone', { reason: 'x' }, ''],
    ['an unknown priority', { priority: 'urgent' }, 'priority'],
    ['no priority', { priority: null }, 'priority'],
    ['a deadline that has passed', { notAfter: '2020-01-01T00:00:00Z' }, 'notAfter'],
    ['a deadline without a zone', { notAfter: '2099-01-01T00:00:00' }, 'notAfter'],
    ['a field that cannot be changed', { priority: 'high', comment: 'other' }, 'comment'],
    ['a list', [], ''],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name} and names the field`, async () => {
      const submitted = await intake.post('/v1/investigations', item(1)).expect(202);
      const before = submitted.body as RequestDocument;
      const response = await intake.as('playbook', 'patch', `/v1/investigations/${before.id}`, body);
      const { errors } = expectProblem(response, 'invalid_request');
      assert.deepEqual(
        errors?.map((fault) => fault.path),
        [path],
      );
      const { body: after } = await intake.get(`/v1/investigations/${before.id}`).expect(200);
      assert.equal((after as RequestDocument).priority, before.priority);
    });
  }
});
