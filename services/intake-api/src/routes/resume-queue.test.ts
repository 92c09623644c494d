import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';

describe('POST /v1/queue/resume', () => {
  const intake = useIntake(useEmbeddedRedis());

  const resume = async (body?: object) =>
    (await intake.as('operator', 'post', '/v1/queue/resume', body).expect(200)).body as object;

  it('ends the pause, and only the pause; the same when nothing was paused', async () => {
    await intake.as('operator', 'post', '/v1/queue/pause', { reason: 'maintenance' }).expect(200);
    await intake.ledger.hold('throttled', 60_000);
    assert.deepEqual(await resume({ reason: 'done' }), { pause: null, wasPaused: true });
    assert.deepEqual((await intake.ledger.snapshot()).holdsOn, ['throttled']);
    assert.deepEqual(await resume(), { pause: null, wasPaused: false });
    const { body } = await intake.get('/v1/quota').expect(200);
    assert.equal((body as { pause: unknown }).pause, null);
  });
});

describe('POST /v1/queue/resume with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('refuses what it does not know', async () => {
    for (const body of [{ reason: '' }, { until: 'now' }, []]) {
      expectProblem(await intake.as('operator', 'post', '/v1/queue/resume', body), 'invalid_request');
    }
  });
});
