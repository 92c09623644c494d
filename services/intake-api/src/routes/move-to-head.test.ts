import assert from 'node:assert/strict';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall } from '../test-support/worker-moves.ts';

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

describe('POST /v1/investigations/{id}/move-to-head of a request past being queued', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('is refused, by what became of it', async () => {
    const submit = async (number: number) =>
      ((await intake.post('/v1/investigations', item(number)).expect(202)).body as RequestDocument).id;
    const [called, cancelled] = [await submit(1), await submit(2)];
    await beginCall(intake, machineId(1));
    await intake.as('playbook', 'delete', `/v1/investigations/${cancelled}`).expect(200);
    const move = (id: string) => intake.as('operator', 'post', `/v1/investigations/${id}/move-to-head`);
    expectProblem(await move(called), 'already_dispatched');
    expectProblem(await move(cancelled), 'already_ended');
  });
});
