import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { queueSeries } from '../test-support/queue-series.ts';
import { item } from '../test-support/items.ts';

interface Quota {
  hold: { until: string | null; reason: string; action: string; detail: string; runbook: string } | null;
  pause: { by: string; reason: string; since: string; until: string | null } | null;
}

describe('POST /v1/queue/pause', () => {
  const intake = useIntake(useEmbeddedRedis());

  const quota = async () => (await intake.get('/v1/quota').expect(200)).body as Quota;
  const pause = async (body: object) =>
    (await intake.as('operator', 'post', '/v1/queue/pause', body).expect(200)).body as Pick<Quota, 'pause'>;
  const spend = () => intake.ledger.spend({ callId: 'call-1', taskId: 'one', machineId: 'one' });

  it('forbids every call, and tells who did it and why in quota and metrics', async () => {
    const answer = await pause({ reason: 'maintenance' });
    assert.equal((await spend()).kind, 'held');
    const { hold, pause: shown } = await quota();
    assert.deepEqual(hold, {
      until: null,
      reason: 'paused',
      action: 'required',
      detail: 'An operator paused the queue, and can resume it.',
      runbook: 'docs/runbook.md#queuepausedtoolong',
    });
    assert.deepEqual(shown, answer.pause);
    assert.deepEqual([shown?.by, shown?.reason, shown?.until], ['operator', 'maintenance', null]);
    await waitFor(
      async () =>
        (await intake.anonymously().get('/metrics')).text.includes(
          `${queueSeries('diq_hold_active', { reason: 'paused' })} 1`,
        ),
      { what: 'the hold to show' },
    );
  });

  it('takes requests as before, without a time at which they start', async () => {
    await pause({ reason: 'maintenance' });
    const { body } = await intake.post('/v1/investigations', item(1)).expect(202);
    assert.equal((body as { expectedStartAt?: string }).expectedStartAt, undefined);
  });

  it('lasts until the time given, and leaves an entry', async () => {
    await pause({ reason: 'change window', until: '2099-01-01T00:00:00Z' });
    assert.equal((await quota()).hold?.until, '2099-01-01T00:00:00.000Z');
    const { value } = (await intake.as('operator', 'get', '/v1/audit?limit=1').expect(200)).body as {
      value: Record<string, unknown>[];
    };
    const { action, by, reason, until } = value[0] ?? {};
    assert.deepEqual(
      { action, by, reason, until },
      { action: 'pause', by: 'operator', reason: 'change window', until: '2099-01-01T00:00:00.000Z' },
    );
  });
});

describe('POST /v1/queue/pause with a faulty body', () => {
  const intake = useIntake(useEmbeddedRedis());

  const faults: [name: string, body: object, path: string][] = [
    ['no reason', {}, 'reason'],
    ['an empty reason', { reason: ' ' }, 'reason'],
    ['an end that has passed', { reason: 'x', until: '2020-01-01T00:00:00Z' }, 'until'],
    ['an end that is no time', { reason: 'x', until: 'tomorrow' }, 'until'],
    ['an unknown field', { reason: 'x', for: '1h' }, 'for'],
  ];
  for (const [name, body, path] of faults) {
    it(`refuses ${name}, and nothing is paused`, async () => {
      const response = await intake.as('operator', 'post', '/v1/queue/pause', body);
      assert.deepEqual(
        expectProblem(response, 'invalid_request').errors?.map((fault) => fault.path),
        [path],
      );
      assert.deepEqual((await intake.ledger.snapshot()).holdsOn, []);
    });
  }
});
