import assert from 'node:assert/strict';
import { createLedger } from '@diq/quota/ledger/ledger.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createAuditLog } from './audit-log.ts';
import { createQueuePause } from './queue-pause.ts';
import { keySpace } from '../test-support/test-store.ts';

const anna = { name: 'anna', reason: 'maintenance' };
const hourMs = 3_600_000;

describe('queue pause', () => {
  const redis = useEmbeddedRedis();
  beforeEach(() => redis.flush());

  const pause = () => createQueuePause(redis.client, keySpace, hourMs);
  async function openLedger() {
    const ledger = createLedger(redis.client, keySpace, {
      limits: [{ calls: 5, windowMs: hourMs }],
      callTimeoutMs: 1_000,
    });
    await ledger.open();
    await ledger.endColdStart();
    return ledger;
  }
  const call = { callId: 'call-1', taskId: 'task-1', machineId: 'machine-1' };

  it('has the ledger refuse every call until it is ended', async () => {
    const ledger = await openLedger();
    await pause().pause(anna);
    const refused = await ledger.spend(call);
    assert.equal(refused.kind === 'held' && refused.reason, 'paused');
    assert.deepEqual((await ledger.snapshot()).holdsOn, ['paused']);
    assert.equal(await pause().resume(anna), true);
    assert.equal((await ledger.spend(call)).kind, 'granted');
    assert.equal(await pause().resume(anna), false);
  });

  it('ends by itself at its time', async () => {
    const ledger = await openLedger();
    await pause().pause(anna, Date.now() - 1);
    assert.equal(await pause().find(), undefined);
    assert.equal((await ledger.spend(call)).kind, 'granted');
  });

  it('takes the end that was set last, also an earlier one, and tells who set it', async () => {
    const ledger = await openLedger();
    await pause().pause(anna);
    const untilMs = Date.now() + hourMs;
    await pause().pause({ name: 'bert', reason: 'shorter' }, untilMs);
    const { sinceMs, ...found } = (await pause().find()) ?? assert.fail('it is paused');
    assert.deepEqual(found, { by: 'bert', reason: 'shorter', untilMs });
    assert.ok(Math.abs(sinceMs - Date.now()) < 60_000);
    assert.equal((await ledger.snapshot()).hold?.untilMs, untilMs);
  });

  it('leaves other holds alone, when it is set and when it ends', async () => {
    const ledger = await openLedger();
    await ledger.hold('throttled', hourMs);
    await pause().pause(anna);
    assert.deepEqual((await ledger.snapshot()).holdsOn.toSorted(), ['paused', 'throttled']);
    await pause().resume(anna);
    assert.deepEqual((await ledger.snapshot()).holdsOn, ['throttled']);
  });

  it('is in the record with its end, and so is its own end', async () => {
    const untilMs = Date.parse('2099-01-01T00:00:00Z');
    await pause().pause(anna, untilMs);
    await pause().resume({ name: 'bert' });
    const { entries } = await createAuditLog(redis.client, keySpace, hourMs).page(10);
    assert.deepEqual(
      entries.map(({ entry }) => entry),
      [
        { action: 'resume', by: 'bert' },
        { action: 'pause', by: 'anna', reason: 'maintenance', until: '2099-01-01T00:00:00.000Z' },
      ],
    );
  });
});
