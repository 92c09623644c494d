import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { queueSeries } from '../test-support/queue-series.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall, endCall, loseAnswer, makeCall } from '../test-support/worker-moves.ts';

interface Quota {
  nextSlotAt: string;
  slots: { at: string; machineId: string; outcome: string; freeAt: string }[];
  queue: Record<string, unknown>;
  [field: string]: unknown;
}

describe('GET /v1/quota', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '10m' });

  const get = async () => (await intake.get('/v1/quota').expect(200)).body as Quota;

  it('shows an unused quota and an empty queue', async () => {
    const { nextSlotAt, workers, limits, ...rest } = await get();
    const { state, alive } = workers as Record<string, unknown>;
    assert.deepEqual([state, alive], ['active', 1]);
    assert.ok(Math.abs(Date.parse(nextSlotAt) - Date.now()) < 60_000);
    assert.deepEqual(limits, [{ calls: 2, windowSeconds: 600, used: 0, remaining: 2, nextSlotAt }]);
    assert.deepEqual(rest, {
      tenant: 'default',
      operation: 'initiateInvestigation',
      limit: 2,
      windowSeconds: 600,
      used: 0,
      remaining: 2,
      hold: null,
      pause: null,
      slots: [],
      slotsSaved: { machineUnknown: 0, alreadyCovered: 0 },
      blocked: { machineBusy: 0, machineOffline: 0, concurrency: null },
      results: {
        open: 0,
        byOutcome: { running: 0, succeeded: 0, failed: 0, cancelled: 0, unknown: 0 },
      },
      queue: {
        queued: 0,
        dispatching: 0,
        lookingUp: 0,
        oldestWaitSeconds: 0,
        expectedDrainAt: null,
        startNotBefore: null,
      },
    });
  });

  it('shows every window of a quota with several, and of the scarcest what stops calls first', async () => {
    const [settings = ''] = await redis.client.keys('*:ledger:settings');
    // As a worker declares it: 2 calls a minute and 2,000 an hour.
    await redis.client.hset(settings, '2/60000/2000/3600000/30000', Date.now());
    const quota = (await intake.get('/v1/quota').expect(200)).body as Record<string, unknown>;
    await redis.client.hdel(settings, '2/60000/2000/3600000/30000');
    const shown = quota['limits'] as Record<string, unknown>[];
    // The intake's own worker declared two in ten minutes, which imply two in one.
    assert.deepEqual(
      shown.map(({ calls, windowSeconds, remaining }) => [calls, windowSeconds, remaining]),
      [
        [2, 600, 2],
        [2_000, 3_600, 2_000],
      ],
    );
    assert.deepEqual([quota['limit'], quota['windowSeconds'], quota['remaining']], [2, 600, 2]);
  });

  it('tells which calls hold the slots, when the next one is free, and when all work is done', async () => {
    for (const number of [1, 2, 3, 4, 5]) await intake.post('/v1/investigations', item(number)).expect(202);
    await makeCall(intake, machineId(1), {
      status: 'started',
      result: { kind: 'investigation', id: '7' },
      attempts: 1,
    });
    await beginCall(intake, machineId(2));
    const quota = await get();
    const { slotsInUse, limits } = await intake.ledger.snapshot();
    const [{ windowMs }] = limits;
    assert.deepEqual([quota['used'], quota['remaining']], [2, 0]);
    assert.deepEqual(
      quota.slots,
      slotsInUse.map(({ call, freeAtMs }) => ({
        at: iso(call?.spentAt),
        machineId: call?.machineId,
        outcome: call?.outcome,
        freeAt: iso(freeAtMs),
      })),
    );
    assert.deepEqual(
      quota.slots.map(({ machineId, outcome }) => [machineId, outcome]),
      [
        [machineId(1), 'started'],
        [machineId(2), 'in_flight'],
      ],
    );
    const [first] = slotsInUse;
    assert.equal(quota.nextSlotAt, iso(first?.freeAtMs));
    const { queued, dispatching, oldestWaitSeconds, expectedDrainAt } = quota.queue;
    assert.deepEqual([queued, dispatching], [3, 1]);
    assert.ok(typeof oldestWaitSeconds === 'number' && oldestWaitSeconds >= 0 && oldestWaitSeconds < 60);
    // Three calls wait for two slots: the last takes the first slot a second time.
    assert.equal(expectedDrainAt, iso((first?.freeAtMs ?? 0) + windowMs));
  });

  it('tells the hold that ends last, and why', async () => {
    await intake.ledger.hold('throttled', 60_000);
    const { untilMs } = await intake.ledger.hold('unreachable', 120_000);
    assert.deepEqual((await get())['hold'], {
      until: new Date(untilMs).toISOString(),
      reason: 'unreachable',
      action: 'check',
      detail:
        'No connection to Defender can be made. Check name resolution, firewall, proxy and certificates.',
      runbook: 'docs/runbook.md#holdactivetoolong',
    });
  });

  it('tells of a cold start what keeps it from ending, and no time by which it will have passed', async () => {
    await redis.flush();
    await intake.ledger.open();
    await intake.ledger.noteRebuildFailure({ cause: 'not_allowed', httpStatus: 403 });
    await intake.post('/v1/investigations', item(9)).expect(202);
    const { hold, queue } = await get();
    const { until, reason, action, detail } = hold as Record<string, unknown>;
    assert.deepEqual([until, reason, action], [null, 'not_allowed', 'required']);
    assert.match(String(detail), / Last answer: HTTP 403\.$/);
    assert.deepEqual([queue['expectedDrainAt'], queue['startNotBefore']], [null, null]);
    const isOn = (text: string, on: string) =>
      text.includes(`${queueSeries('diq_hold_active', { reason: on })} 1`);
    const bothOn = async () => {
      const { text } = await intake.anonymously().get('/metrics');
      return isOn(text, 'cold_start') && isOn(text, 'not_allowed');
    };
    await waitFor(bothOn, { what: 'both reasons in the metrics' });
  });

  it('tells no end of a hold that has none', async () => {
    await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
    const { hold, queue } = await get();
    const { until, reason } = hold as Record<string, unknown>;
    assert.deepEqual([until, reason], [null, 'paused']);
    assert.deepEqual([queue['expectedDrainAt'], queue['startNotBefore']], [null, null]);
  });
});

describe('GET /v1/quota while it is unknown how long a hold lasts', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('tells of a hold of unknown length what was answered, and no time but the one before which nothing starts', async () => {
    await intake.post('/v1/investigations', item(1)).expect(202);
    const length = { firstMs: 60_000, longestMs: 60_000 };
    const met = { httpStatus: 404, code: 'NotFound' };
    const { untilMs } = await intake.ledger.holdGrowing('endpoint_unusable', length, met);
    const { hold, queue } = (await intake.get('/v1/quota').expect(200)).body as Quota;
    assert.deepEqual(hold, {
      until: iso(untilMs),
      reason: 'endpoint_unusable',
      action: 'required',
      detail:
        'What answers is not the Defender API. Check DEFENDER_BASE_URL, DEFENDER_OPERATION, and gateways and proxies in between. Last answer: HTTP 404, NotFound.',
      runbook: 'docs/runbook.md#endpointunusable',
    });
    assert.deepEqual([queue['expectedDrainAt'], queue['startNotBefore']], [null, iso(untilMs)]);
  });
});

describe('GET /v1/quota while a lost answer is looked up', () => {
  const intake = useIntake(useEmbeddedRedis());
  const counts = async () => {
    const { queue } = (await intake.get('/v1/quota').expect(200)).body as Quota;
    return [queue['queued'], queue['dispatching'], queue['lookingUp']];
  };

  it('tells its requests from those that are being called, counts each once, and so do the metrics', async () => {
    for (const number of [1, 1, 2, 3]) await intake.post('/v1/investigations', item(number)).expect(202);
    const lost = await beginCall(intake, machineId(1));
    await beginCall(intake, machineId(2));
    assert.deepEqual(await counts(), [1, 3, 0]);
    await loseAnswer(intake, lost);
    assert.deepEqual(await counts(), [1, 1, 2]);
    await intake.post('/v1/investigations', item(1)).expect(202);
    assert.deepEqual(await counts(), [1, 1, 3]);
    const inMetrics = async () => {
      const { text } = await intake.anonymously().get('/metrics');
      const of = (status: string) =>
        Number(
          new RegExp(
            `^${queueSeries('diq_requests_open', { status })} (\\d+)$`.replaceAll(/[{}]/g, String.raw`\$&`),
            'm',
          ).exec(text)?.[1],
        );
      return [of('queued'), of('dispatching'), of('looking_up')].join();
    };
    await waitFor(async () => (await inMetrics()) === '1,1,3', { what: 'the metrics' });
    const { text } = await intake.anonymously().get('/metrics');
    assert.match(text, /^diq_tasks_waiting\{[^}]*,priority="medium"\} 1$/m);
    assert.match(text, /^diq_quota_slots\{[^}]*,outcome="in_flight"\} 1$/m);
    assert.match(text, /^diq_quota_slots\{[^}]*,outcome="no_answer"\} 1$/m);
    assert.match(text, /^diq_quota_used\{[^}]*\} 2$/m);
    await endCall(intake, lost, {
      status: 'started',
      result: { kind: 'investigation', id: '7' },
      attempts: 1,
    });
    assert.deepEqual(await counts(), [1, 1, 0]);
  });
});

describe('GET /v1/quota while no worker is alive', () => {
  const intake = useIntake(useEmbeddedRedis(), { INTAKE_MAX_DRAIN: '1h' });

  it('says so, tells when one was seen last, and promises no time', async () => {
    const before = (await intake.post('/v1/investigations', item(1)).expect(202)).body as { id: string };
    await intake.ledger.leave();
    const { workers, queue, remaining } = (await intake.get('/v1/quota').expect(200)).body as Quota;
    const { state, alive, lastSeenAt } = workers as Record<string, string | number>;
    assert.deepEqual([state, alive, remaining], ['absent', 0, 5]);
    assert.ok(Math.abs(Date.parse(String(lastSeenAt)) - Date.now()) < 60_000);
    assert.equal(queue['expectedDrainAt'], null);
    const { body } = await intake.get(`/v1/investigations/${before.id}`).expect(200);
    assert.equal((body as Record<string, unknown>)['expectedStartAt'], undefined);
    await waitFor(
      async () => /^diq_workers_alive\{[^}]*\} 0$/m.test((await intake.anonymously().get('/metrics')).text),
      { what: 'the metric' },
    );
  });

  it('still accepts what the quota allows in time', async () => {
    const { body } = await intake.post('/v1/investigations', item(2)).expect(202);
    assert.equal((body as Record<string, unknown>)['expectedStartAt'], undefined);
  });

  it('is ready, and says under its checks who is missing', async () => {
    const { body } = await intake.anonymously().get('/readyz').expect(200);
    const { checks } = body as { checks: Record<string, string> };
    assert.match(checks['workers'] ?? '', /^none is alive, last seen .*Z: requests are accepted and wait$/);
  });
});

function iso(timeMs: number | undefined): string {
  return new Date(timeMs ?? 0).toISOString();
}
