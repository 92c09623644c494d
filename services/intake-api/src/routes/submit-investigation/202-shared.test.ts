import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations for a machine that others asked for', () => {
  const intake = useIntake(useEmbeddedRedis());
  const post = async (body: object) =>
    requestDocument.parse((await intake.post('/v1/investigations', body).expect(202)).body);
  const read = async (id: string) =>
    requestDocument.parse((await intake.get(`/v1/investigations/${id}`).expect(200)).body);

  it('takes what waits along to the place of a more urgent one', async () => {
    const waiting = await post(item(1, { priority: 'low' }));
    await post(item(2, { priority: 'high' }));
    assert.equal((await read(waiting.id)).position, 2);
    const urgent = await post(item(1, { priority: 'critical' }));
    assert.deepEqual([urgent.coalescedWith, urgent.position], [waiting.id, 1]);
    assert.equal((await read(waiting.id)).position, 1);
  });

  it('answers with an investigation that was started within the last hour, but not by force', async () => {
    const first = await post(item(3));
    await makeCall(intake, machineId(3), { status: 'started', investigationId: '5146', attempts: 1 });
    const { status, investigationId, coalescedWith, position } = await post(item(3));
    assert.deepEqual(
      [status, investigationId, coalescedWith, position],
      ['started', '5146', first.id, undefined],
    );
    const forced = await post(item(3, { force: true }));
    assert.deepEqual([forced.status, forced.coalescedWith], ['queued', undefined]);
  });
});
