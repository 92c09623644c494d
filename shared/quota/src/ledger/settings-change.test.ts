import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Limit } from '@diq/contracts/operations.ts';
import { createLedger, type Ledger, type LedgerSettings } from './ledger.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import { untilProven } from '../test-support/until-proven.ts';
import { arrive, mostInAnyWindow, openWithoutHold } from '../test-support/wire.ts';

// What is guaranteed when settings change. A setting (one limit or several) is in force from the moment a worker declares it, by
// opening the ledger or by spending a permit, until one window after it was last declared. Of the calls in any rolling
// window of one of its limits, take the one that was granted last: if the setting was in force then, they are no more than
// that limit. So a stricter setting binds at once, calls made before it included; and a looser one never makes the stricter
// one's window wrong while that one still counts.

const callTimeoutMs = 30;
const limit = fc.record({
  calls: fc.integer({ min: 1, max: 5 }),
  windowMs: fc.integer({ min: 40, max: 140 }),
});
const setting = fc.array(limit, { minLength: 1, maxLength: 2 });
/** Workers come one after the other in each place, each with settings of its own. */
const changes = fc.array(
  fc.array(fc.record({ setting, livesMs: fc.integer({ min: 20, max: 300 }) }), {
    minLength: 2,
    maxLength: 4,
  }),
  { minLength: 3, maxLength: 3 },
);

interface Granted {
  spentAtMs: number;
  arrivedAt: number;
}
/** At some time between the two, by Redis' clock. */
interface Declared {
  limits: readonly Limit[];
  notBeforeMs: number;
  notAfterMs: number;
}

describe('ledger on the wire, while settings change', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();

  it('keeps every setting that was in force when the last call of a window was granted', async () => {
    const own = await Promise.all([0, 1, 2].map(() => connections.open(redis.url)));
    let judged = 0;
    let full = 0;
    const play = () =>
      fc.assert(
        fc.asyncProperty(changes, async (places) => {
          const keySpace = `test:{${randomUUID()}}`;
          const granted: Granted[] = [];
          const declared: Declared[] = [];
          await Promise.all(
            places.map(async (workers, place) => {
              for (const { setting, livesMs } of workers) {
                const settings = { limits: setting, callTimeoutMs };
                await work(own[place]!, keySpace, settings, livesMs, { granted, declared });
              }
            }),
          );
          for (const { limit, windowMs, most } of windowsOf(granted, declared)) {
            assert.ok(most <= limit, `${most} arrivals in ${windowMs} ms, limit ${limit}`);
            judged += 1;
            if (most === limit) full += 1;
          }
        }),
        { numRuns: 12, endOnFailure: true },
      );
    await untilProven(play, () => judged > 80 && full > 20);
  });
});

/** Calls as often as it may, for as long as it lives. Real time is what is tested here: windows pass on the wire. */
async function work(
  connection: RedisConnection,
  keySpace: string,
  settings: LedgerSettings,
  livesMs: number,
  { granted, declared }: { granted: Granted[]; declared: Declared[] },
): Promise<void> {
  const ledger: Ledger = createLedger(connection, keySpace, settings);
  const endsAt = performance.now() + livesMs;
  const declare = (notBeforeMs: number, notAfterMs = notBeforeMs) =>
    declared.push({ limits: settings.limits, notBeforeMs, notAfterMs });
  const [seconds, microseconds] = await connection.time();
  await openWithoutHold(ledger);
  declare(
    Math.floor(Number(seconds) * 1_000 + Number(microseconds) / 1_000),
    (await ledger.snapshot()).nowMs,
  );
  while (performance.now() < endsAt) {
    const callId = randomUUID();
    const reply = await ledger.spend({ callId, taskId: callId, machineId: 'm' });
    if (reply.kind === 'full') {
      await delay(Math.min(reply.nextSlotAtMs - reply.nowMs, endsAt - performance.now()));
    } else if (reply.kind === 'granted') {
      declare(reply.spentAtMs);
      await delay(callId < '8' ? 0 : 4);
      const arrivedAt = await arrive(connection, reply.spentAtMs + callTimeoutMs);
      if (arrivedAt !== undefined) granted.push({ spentAtMs: reply.spentAtMs, arrivedAt });
      await ledger.recordAnswer(callId, { outcome: 'started', facts: {} });
    } else assert.equal(reply.kind, 'held');
  }
}

/** Each window that begins with an arrival, for each setting that was in force when its last call was granted. */
function* windowsOf(granted: readonly Granted[], declared: readonly Declared[]) {
  for (const { arrivedAt: from } of granted) {
    const limits = declared.flatMap(({ limits, ...times }) => limits.map((one) => ({ ...one, ...times })));
    for (const { calls: limit, windowMs, notBeforeMs, notAfterMs } of limits) {
      const within = granted.filter(
        ({ arrivedAt }) => arrivedAt >= from && arrivedAt < from + windowMs * 1_000,
      );
      const lastMs = Math.max(...within.map(({ spentAtMs }) => spentAtMs));
      // Declared for certain before that grant, not within the same millisecond.
      if (notAfterMs + 2 > lastMs || lastMs >= notBeforeMs + windowMs) continue;
      yield {
        limit,
        windowMs,
        most: mostInAnyWindow(
          within.map(({ arrivedAt }) => arrivedAt),
          windowMs,
        ),
      };
    }
  }
}
