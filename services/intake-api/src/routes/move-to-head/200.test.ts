import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item } from '../../test-support/items.ts';

describe('POST /v1/investigations/{id}/move-to-head', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('has the machine go next, before critical ones, with or without a reason', async () => {
    const submit = async (number: number, more = {}) =>
      ((await intake.post('/v1/investigations', item(number, more)).expect(202)).body as RequestDocument).id;
    await submit(1, { priority: 'critical' });
    const [second, third] = [await submit(2, { priority: 'low' }), await submit(3, { priority: 'low' })];
    for (const [id, body] of [
      [third, undefined],
      [second, { reason: 'domain controller' }],
    ] as const) {
      const path = `/v1/investigations/${id}/move-to-head`;
      const moved = (await intake.as('operator', 'post', path, body).expect(200)).body as RequestDocument;
      assert.deepEqual([moved.id, moved.position], [id, 1]);
    }
  });
});
