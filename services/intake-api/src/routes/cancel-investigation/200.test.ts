import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('DELETE /v1/investigations/{id} of a queued request', () => {
  const intake = useIntake(useEmbeddedRedis());

  const submit = async (number: number) =>
    ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
  const cancel = async (id: string, query = '') =>
    requestDocument.parse(
      (await intake.as('playbook', 'delete', `/v1/investigations/${id}${query}`).expect(200)).body,
    );

  it('answers with the cancelled document, and no call will be made', async () => {
    const id = await submit(1);
    const document = await cancel(id);
    assert.equal(document.id, id);
    assert.equal(document.status, 'cancelled');
    assert.equal(document.position, undefined);
    assert.equal(await intake.tasks.countWaiting(), 0);
    assert.equal(await intake.jobs.countAll(), 0);
  });

  it('answers the same when it is repeated, with one entry in the record', async () => {
    const id = await submit(2);
    const first = await cancel(id, '?reason=false%20positive');
    assert.deepEqual(await cancel(id, '?reason=again'), first);
    const { value } = (await intake.as('operator', 'get', '/v1/audit').expect(200)).body as {
      value: Record<string, unknown>[];
    };
    const entries = value.filter(({ requestId }) => requestId === id);
    assert.deepEqual(
      entries.map(({ action, by, reason }) => ({ action, by, reason })),
      [{ action: 'cancel', by: 'playbook', reason: 'false positive' }],
    );
  });

  it('leaves others that share the call in their place', async () => {
    const [first, second] = [await submit(3), await submit(3)];
    await cancel(first);
    const { body } = await intake.get(`/v1/investigations/${second}`).expect(200);
    const left = requestDocument.parse(body);
    assert.deepEqual([left.status, left.position], ['queued', 1]);
  });
});
