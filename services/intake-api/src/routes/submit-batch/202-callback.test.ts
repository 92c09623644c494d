import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openReceiver } from '../../callbacks/test-support/receiver.ts';
import type { Receiver } from '../../callbacks/test-support/receiver.ts';
import { callbackEnvironment } from '../../test-support/callback-environment.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { makeCall } from '../../test-support/worker-moves.ts';

describe('POST /v1/batches with callbacks', () => {
  const redis = useEmbeddedRedis();
  const environment: Record<string, string> = {};
  let receiver: Receiver;
  before(async () => {
    receiver = await openReceiver();
    Object.assign(environment, callbackEnvironment(receiver.port));
  });
  after(() => receiver.close());
  const intake = useIntake(redis, environment);

  it('calls for each request what its defaults or itself say, and for the batch when all have ended', async () => {
    const response = await intake.post('/v1/batches', {
      requests: [item(1), item(2, { callbackUrl: receiver.url('/own') })],
      defaults: { callbackUrl: receiver.url('/default') },
      callbackUrl: receiver.url('/batch'),
    });
    assert.equal(response.status, 202, response.text);
    const { id } = response.body as { id: string };
    for (const machine of [1, 2]) {
      await makeCall(intake, machineId(machine), { status: 'started', investigationId: '1', attempts: 1 });
    }
    const paths = [await receiver.next(), await receiver.next(), await receiver.next()].map(
      ({ path }) => path,
    );
    assert.deepEqual(paths.toSorted(), ['/batch', '/default', '/own']);
    await waitFor(
      async () => {
        const batch = (await intake.get(`/v1/batches/${id}`)).body as { callback?: { state: string } };
        return batch.callback?.state === 'delivered';
      },
      { what: 'the delivery in the batch' },
    );
  });

  it('refuses the batch for its own callback, and an item for its', async () => {
    const callbackUrl = 'https://other.example/';
    const whole = await intake.post('/v1/batches', { requests: [item(3)], callbackUrl });
    const problem = expectProblem(whole, 'invalid_request');
    assert.equal(problem.errors?.[0]?.path, 'callbackUrl');

    const partly = await intake.post('/v1/batches', { requests: [item(4), item(5, { callbackUrl })] });
    assert.equal(partly.status, 202);
    const { items } = partly.body as { items: { status: string; error?: { errors: { path: string }[] } }[] };
    assert.deepEqual(
      items.map(({ status, error }) => [status, error?.errors[0]?.path]),
      [
        ['accepted', undefined],
        ['rejected', 'callbackUrl'],
      ],
    );
  });
});
