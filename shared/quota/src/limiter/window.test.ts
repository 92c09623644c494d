import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { duplicateConnection, type RedisConnection } from '@diq/redis/connection.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createLedger, type Ledger, type LedgerSettings } from '../ledger/ledger.ts';
import { longestWindowMs } from '../limits.ts';
import {
  createPermitLimiter,
  openLimiterConnection,
  type Permit,
  type PermitLimiter,
} from './permit-limiter.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import { limitSets, pairsThatBothHold } from '../test-support/limit-sets.ts';
import { untilProven } from '../test-support/until-proven.ts';
import { arrive, mostInAnyWindow, openWithoutHold } from '../test-support/wire.ts';

/**
 * `spending-lost`: the reply of the ledger does not come back, so no call is made and the permit is given back.
 * `died`: the process ended after the call had left, and its outcome was never reported.
 */
const fates = ['answered', 'answer-lost', 'not_sent', 'spending-lost', 'died'] as const;

interface Call {
  thinkMs: number;
  travelMs: number;
  answerMs: number;
  fate: (typeof fates)[number];
}

const weights = { answered: 6, 'answer-lost': 2, not_sent: 2, 'spending-lost': 1, died: 1 };
const call: fc.Arbitrary<Call> = fc.record({
  thinkMs: fc.nat(20),
  travelMs: fc.nat(30),
  answerMs: fc.nat(30),
  fate: fc.oneof(...fates.map((fate) => ({ weight: weights[fate], arbitrary: fc.constant(fate) }))),
});
const scenario = fc.record({
  settings: fc.record<LedgerSettings>({
    limits: fc.oneof(limitSets, pairsThatBothHold),
    callTimeoutMs: fc.integer({ min: 20, max: 60 }),
  }),
  /** Per client, one after the other. */
  clients: fc.array(fc.array(call, { minLength: 4, maxLength: 10 }), { minLength: 3, maxLength: 3 }),
});

interface Client {
  connection: RedisConnection;
  ledger: Ledger;
  limiter: PermitLimiter;
}

describe('limiter and ledger together, on the wire', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();

  it('let no rolling window see more than the limit, whichever client calls when, and whatever gets lost', async () => {
    const own = await Promise.all(Array.from({ length: 3 }, () => connections.open(redis.url)));
    let fullest = 0;
    let lent = 0;
    const playAll = () =>
      fc.assert(
        fc.asyncProperty(scenario, async ({ settings, clients }) => {
          const { arrivals, permits } = await play(settings, clients, own);
          for (const { calls, windowMs } of settings.limits) {
            const most = mostInAnyWindow(arrivals, windowMs);
            assert.ok(most <= calls, `${most} arrivals in ${windowMs} ms: ${calls}`);
            if (most === calls) fullest += 1;
          }
          lent += permits;
        }),
        // A scenario that failed is printed with its seed; timing makes a smaller one no more certain to fail.
        { numRuns: 8, endOnFailure: true },
      );
    // The limit was also reached, and permits came back, or it would prove nothing of later windows.
    await untilProven(playAll, () => fullest >= 4 && lent > 3 * 8);
  });

  async function play(settings: LedgerSettings, clients: readonly Call[][], own: readonly RedisConnection[]) {
    const keySpace = `test:{${randomUUID()}}`;
    const endsAt = performance.now() + Math.min(700, 4 * longestWindowMs(settings.limits) + 100);
    const arrivals: number[] = [];
    const opened: { close(): unknown }[] = [];
    let permits = 0;

    async function make({ travelMs, answerMs, fate }: Call, permit: Permit, client: Client) {
      const { connection, ledger } = client;
      const callId = randomUUID();
      const reply = await ledger.spend({ callId, taskId: callId, machineId: 'm' });
      if (reply.kind !== 'granted') return permit.release();
      permit.spent();
      if (fate === 'not_sent' || fate === 'spending-lost') {
        await ledger.giveBack(callId);
        return permit.release();
      }
      // Real time is what is tested here, as in ledger/window.test.ts.
      await delay(travelMs);
      const arrivedAt = await arrive(connection, reply.spentAtMs + settings.callTimeoutMs);
      if (arrivedAt !== undefined) arrivals.push(arrivedAt);
      if (fate === 'died') return undefined;
      await delay(answerMs);
      const answer = { outcome: 'started', facts: {} } as const;
      const recorded = fate === 'answered' ? await ledger.recordAnswer(callId, answer) : undefined;
      if (recorded) permit.counted(recorded.countsFromMs);
      return permit.keepForOneWindow();
    }

    async function run(calls: readonly Call[], connection: RedisConnection) {
      const ledger = createLedger(connection, keySpace, settings);
      await openWithoutHold(ledger);
      const shared = openLimiterConnection(duplicateConnection(connection), () => undefined);
      opened.push(shared);
      const limiter = await createPermitLimiter({
        ...settings,
        connection: shared,
        keySpace,
        onError: () => undefined,
      });
      opened.push(limiter);
      for (const one of calls) {
        await delay(one.thinkMs);
        const permit = await acquireBefore(endsAt, limiter);
        if (!permit) return;
        permits += 1;
        await make(one, permit, { connection, ledger, limiter });
      }
    }

    try {
      await Promise.all(clients.map((calls, i) => run(calls, own[i]!)));
    } finally {
      for (const one of opened.toReversed()) await one.close();
    }
    return { arrivals, permits };
  }
});

async function acquireBefore(endsAt: number, limiter: PermitLimiter): Promise<Permit | undefined> {
  while (performance.now() < endsAt) {
    const permit = await limiter.tryAcquire();
    if (permit) return permit;
    await delay(5);
  }
  return undefined;
}
