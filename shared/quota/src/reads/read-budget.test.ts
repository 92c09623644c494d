import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { Limit } from '@diq/contracts/operations.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { longestWindowMs } from '../limits.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import { limitSets, pairsThatBothHold } from '../test-support/limit-sets.ts';
import { untilProven } from '../test-support/until-proven.ts';
import { arrive, mostInAnyWindow } from '../test-support/wire.ts';
import { createReadBudget, readBudgetKeys, readLimits, type ReadTaken } from './read-budget.ts';

const minuteMs = 60_000;
const readerMain = new URL('../test-support/reader-main.ts', import.meta.url);

describe('the budget of reads', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();
  let tenantId = '';
  beforeEach(() => {
    tenantId = randomUUID();
  });

  const budgetOf = (calls: number, windowMs = minuteMs, connection: RedisConnection = redis.client) =>
    createReadBudget({ redis: connection, tenantId, limits: [{ calls, windowMs }], timeoutMs: 10_000 });
  async function taken(asked: Promise<ReadTaken>) {
    const read = await asked;
    assert.ok(read.granted, JSON.stringify(read));
    return read;
  }
  async function refused(asked: Promise<ReadTaken>): Promise<number> {
    const read = await asked;
    assert.ok(!read.granted, 'refused');
    return read.retryAfterMs;
  }

  it('is a share of 100 a minute and 1,500 an hour, and one of each at least', () => {
    assert.deepEqual(
      [0.5, 1, 0.0001].map((share) => readLimits(share).map(({ calls }) => calls)),
      [
        [50, 750],
        [100, 1_500],
        [1, 1],
      ],
    );
  });

  it('is one for all clients of a tenant, and another one for another tenant', async () => {
    const [one, other] = [budgetOf(2), budgetOf(2, minuteMs, await connections.open(redis.url))];
    await taken(one.take());
    await taken(other.take());
    await refused(one.take());
    await refused(other.take());
    tenantId = randomUUID();
    await taken(budgetOf(2).take());
  });

  it('says when a read can be made: a window after the answer of the one that has to go', async () => {
    const budget = budgetOf(1, 300);
    const read = await taken(budget.take());
    assert.ok((await refused(budget.take())) > 9_000, 'it may be on its way for as long as its timeout');
    await read.answered();
    const retryAfterMs = await refused(budget.take());
    assert.ok(retryAfterMs > 200 && retryAfterMs <= 302, `${retryAfterMs} ms`);
    await delay(retryAfterMs);
    await taken(budget.take());
  });

  it('makes all workers wait for as long as a 429 asks, or for a while if it does not say', async () => {
    for (const [retryAfterMs, leastMs, mostMs] of [
      [5_000, 4_000, 5_002],
      [undefined, 25_000, 30_002],
    ] as const) {
      tenantId = randomUUID();
      const read = await taken(budgetOf(9).take());
      await read.answered({ isThrottled: true, ...(retryAfterMs !== undefined && { retryAfterMs }) });
      const waitMs = await refused(budgetOf(9, minuteMs, await connections.open(redis.url)).take());
      assert.ok(waitMs > leastMs && waitMs <= mostMs, `${waitMs} ms`);
    }
  });

  it('keeps the longer of two pauses', async () => {
    const budget = budgetOf(9);
    const [one, other] = [await taken(budget.take()), await taken(budget.take())];
    await one.answered({ retryAfterMs: 9_000 });
    await other.answered({ retryAfterMs: 1_000 });
    assert.ok((await refused(budget.take())) > 7_000);
  });

  it('leaves a half to what is needed: the rest may be used by what can be left out', async () => {
    const budget = budgetOf(4);
    await taken(budget.take('optional'));
    await taken(budget.take('optional'));
    await refused(budget.take('optional'));
    await taken(budget.take());
    await taken(budget.take('needed'));
    await refused(budget.take());
  });

  it('makes no read while Redis cannot be asked, and is asked again', async () => {
    const connection = await connections.open(redis.url);
    const budget = budgetOf(9, minuteMs, connection);
    const read = await taken(budget.take());
    connection.disconnect();
    assert.equal(await refused(budget.take()), 1_000);
    await read.answered();
  });

  it('reports what is used of each window, and each refusal', async () => {
    const seen: (readonly number[])[] = [];
    let refusals = 0;
    const limits = [
      { calls: 5, windowMs: 20 },
      { calls: 2, windowMs: minuteMs },
    ];
    const options = { redis: redis.client, tenantId, limits, timeoutMs: 1 };
    const budget = createReadBudget({
      ...options,
      onUsed: (used) => seen.push(used),
      onRefused: () => (refusals += 1),
    });
    await taken(budget.take());
    await delay(50);
    await taken(budget.take());
    await refused(budget.take());
    assert.deepEqual(seen.slice(0, 2), [
      [1, 1],
      [1, 2],
    ]);
    assert.equal((await budget.used())[1], 2);
    assert.equal(refusals, 1);
  });

  it('leaves nothing in Redis when no read counts any more', async () => {
    const budget = createReadBudget({
      redis: redis.client,
      tenantId,
      limits: [{ calls: 2, windowMs: 40 }],
      timeoutMs: 10,
    });
    const read = await taken(budget.take());
    await read.answered({ retryAfterMs: 20 });
    assert.equal(await redis.client.exists(...readBudgetKeys(tenantId)), 2);
    await delay(120);
    assert.equal(await redis.client.exists(...readBudgetKeys(tenantId)), 0);
  });

  interface Scenario {
    limits: Limit[];
    /** Per client, one after the other. */
    clients: { travelMs: number; answerMs: number; isLost: boolean }[][];
  }
  const scenario: fc.Arbitrary<Scenario> = fc.record({
    limits: fc.oneof(limitSets, pairsThatBothHold),
    clients: fc.array(
      fc.array(fc.record({ travelMs: fc.nat(12), answerMs: fc.nat(12), isLost: fc.boolean() }), {
        minLength: 4,
        maxLength: 10,
      }),
      { minLength: 3, maxLength: 3 },
    ),
  });

  it('lets no rolling window of any limit see more reads, whichever client reads when, and whatever gets lost', async () => {
    const own = await Promise.all([0, 1, 2].map(() => connections.open(redis.url)));
    const timeoutMs = 30;
    let full = 0;
    const play = async ({ limits, clients }: Scenario) => {
      const arrivals: number[] = [];
      const endsAt = performance.now() + Math.min(500, 3 * longestWindowMs(limits));
      tenantId = randomUUID();
      const read = async (reads: Scenario['clients'][number], connection: RedisConnection) => {
        const budget = createReadBudget({ redis: connection, tenantId, limits, timeoutMs });
        for (const { travelMs, answerMs, isLost } of reads) {
          let askedAt = performance.now();
          let asked = await budget.take();
          while (!asked.granted && performance.now() < endsAt) {
            await delay(Math.min(asked.retryAfterMs, 10));
            askedAt = performance.now();
            asked = await budget.take();
          }
          if (!asked.granted) return;
          await delay(travelMs);
          const arrivedAt = await arrive(connection, Number.MAX_SAFE_INTEGER / 1_000);
          // On a busy machine: what would have been given up by then does not arrive.
          if (arrivedAt !== undefined && performance.now() - askedAt < timeoutMs) arrivals.push(arrivedAt);
          await delay(answerMs);
          if (!isLost) await asked.answered();
        }
      };
      await Promise.all(clients.map((reads, i) => read(reads, own[i]!)));
      for (const { calls, windowMs } of limits) {
        const most = mostInAnyWindow(arrivals, windowMs);
        assert.ok(most <= calls, `${most} reads in ${windowMs} ms, limit ${calls}`);
        if (most === calls) full += 1;
      }
    };
    await untilProven(
      () => fc.assert(fc.asyncProperty(scenario, play), { numRuns: 10, endOnFailure: true }),
      () => full >= 6,
    );
  });

  it('is kept by processes of their own that share it, and used up by them', async () => {
    const limits = [
      { calls: 4, windowMs: 200 },
      { calls: 7, windowMs: 900 },
    ];
    const settings = { url: redis.url, tenantId, limits, timeoutMs: 10_000, lastsMs: 1_500 };
    const arrivals = await Promise.all(
      [0, 1, 2].map(async () => {
        const reader = fork(readerMain, [JSON.stringify(settings)]);
        const exited = once(reader, 'exit');
        const [times] = (await once(reader, 'message')) as [number[]];
        await exited;
        return times;
      }),
    );
    for (const { calls, windowMs } of limits)
      assert.ok(mostInAnyWindow(arrivals.flat(), windowMs) <= calls, `${windowMs} ms`);
    assert.ok(arrivals.flat().length >= 7, 'and is used');
  });
});
