import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('PATCH /v1/investigations/{id} of a queued request', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const change = async (id: string, body: object) =>
    requestDocument.parse(
      (await intake.as('playbook', 'patch', `/v1/investigations/${id}`, body).expect(200)).body,
    );

  it('answers with the changed document and its new place', async () => {
    const [first, second] = [await submit(1), await submit(2)];
    assert.equal((await change(second, { priority: 'critical' })).position, 1);
    const lowered = await change(second, { priority: 'low', reason: 'was a drill' });
    assert.deepEqual([lowered.priority, lowered.position], ['low', 2]);
    const { body } = await intake.get(`/v1/investigations/${first}`).expect(200);
    assert.equal((body as RequestDocument).position, 1);
  });

  it('sets a deadline, and takes it away with null', async () => {
    const id = await submit(3);
    const zoned = await change(id, { notAfter: '2099-01-01T02:00:00+02:00' });
    assert.equal(zoned.notAfter, '2099-01-01T00:00:00.000Z');
    const both = await change(id, { notAfter: null, priority: 'high' });
    assert.equal(both.notAfter, undefined);
    assert.equal(both.priority, 'high');
  });
});
