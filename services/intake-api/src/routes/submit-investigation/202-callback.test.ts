import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openReceiver } from '../../callbacks/test-support/receiver.ts';
import type { Receiver } from '../../callbacks/test-support/receiver.ts';
import { callbackEnvironment } from '../../test-support/callback-environment.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/investigations with a callback', () => {
  const redis = useEmbeddedRedis();
  const environment: Record<string, string> = {};
  let receiver: Receiver;
  before(async () => {
    receiver = await openReceiver();
    Object.assign(environment, callbackEnvironment(receiver.port));
  });
  after(() => receiver.close());
  const intake = useIntake(redis, environment);

  it('shows it pending, by its origin alone, and delivered once the request has ended', async () => {
    const callbackUrl = receiver.url('/path-s3cret?sig=s3cret');
    const response = await intake.post('/v1/investigations', item(1, { callbackUrl }));
    assert.equal(response.status, 202, response.text);
    const { id, callback } = response.body as { id: string; callback: object };
    assert.deepEqual(callback, { url: receiver.url(''), state: 'pending', attempts: 0 });
    assert.ok(!response.text.includes('s3cret'));

    await makeCall(intake, machineId(1), { status: 'started', investigationId: '5146', attempts: 1 });
    const { body, path } = await receiver.next();
    assert.equal(path, '/path-s3cret?sig=s3cret');
    const event = JSON.parse(body) as { type: string; data: { id: string; investigationId: string } };
    assert.deepEqual(
      [event.type, event.data.id, event.data.investigationId],
      ['investigation.started', id, '5146'],
    );
    await waitFor(
      async () => {
        const told = (await intake.get(`/v1/investigations/${id}`)).body as { callback: { state: string } };
        return told.callback.state === 'delivered';
      },
      { what: 'the delivery in the document' },
    );
    assert.ok(!JSON.stringify(intake.log).includes('s3cret'));
    const { text } = await intake.anonymously().get('/metrics');
    assert.match(text, /diq_callbacks_total\{outcome="delivered"\} 1/);
    assert.match(text, /diq_callbacks_pending \d/);
  });
});
