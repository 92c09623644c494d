import assert from 'node:assert/strict';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { beginCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations with an acceptable item', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('answers with the request document and the two places where it can be followed', async () => {
    const asked = item(1, {
      priority: 'critical',
      notAfter: '2099-01-01T02:00:00+02:00',
      source: 'xsoar',
      correlation: { incident: 'INC-7', playbook: 'isolate' },
    });
    const response = await intake.post('/v1/investigations', asked).expect(202);
    const document = requestDocument.parse(response.body);
    const { id, createdAt, expectedStartAt, ...rest } = document;
    assert.deepEqual(rest, {
      ...asked,
      notAfter: '2099-01-01T00:00:00.000Z',
      status: 'queued',
      position: 1,
      attempts: 0,
    });
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000);
    assert.ok(expectedStartAt);
    assert.equal(response.headers['location'], `/v1/investigations/${id}/result`);
    assert.equal(response.headers['operation-location'], `/v1/investigations/${id}`);
    assert.equal(response.headers['retry-after'], '5');
  });

  it('takes a second request for a machine that waits as a success, joined to the first', async () => {
    const first = requestDocument.parse((await intake.post('/v1/investigations', item(2)).expect(202)).body);
    const second = requestDocument.parse((await intake.post('/v1/investigations', item(2)).expect(202)).body);
    assert.equal(second.coalescedWith, first.id);
    assert.notEqual(second.id, first.id);
    assert.equal(second.position, first.position);
  });

  it('tells a request that joined a call under way that it is dispatching', async () => {
    await intake.post('/v1/investigations', item(3)).expect(202);
    await beginCall(intake, machineId(3));
    const response = await intake.post('/v1/investigations', item(3)).expect(202);
    const document = requestDocument.parse(response.body);
    assert.equal(document.status, 'dispatching');
    assert.equal(document.position, undefined);
    assert.equal(response.headers['retry-after'], '5');
  });

  it('logs it in one line at info, which tells the request by its id', async () => {
    const { id } = (await intake.post('/v1/investigations', item(4)).expect(202)).body as { id: string };
    const lines = intake.log.filter((line) => line['requestId'] === id);
    assert.deepEqual(
      lines.map((line) => [line['level'], line['msg'], line['machineId']]),
      [['info', 'request accepted', machineId(4)]],
    );
  });
});
