import assert from 'node:assert/strict';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { requireRedisServer, startRedisServer, type RedisServer } from '@diq/testing/redis-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { useLedgerConnections } from '../test-support/ledger-connections.ts';
import { untilProven } from '../test-support/until-proven.ts';
import { arrive, mostInAnyWindow, openWithoutHold } from '../test-support/wire.ts';
import { call, keySpace, settingsOf } from '../test-support/use-ledger.ts';

/** Two workers, one of which dies and is followed by another, while Redis is emptied at any moments. */
const scenario = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  windowMs: fc.integer({ min: 40, max: 90 }),
  callTimeoutMs: fc.integer({ min: 5, max: 30 }),
  flushAtMs: fc.array(fc.integer({ min: 20, max: 400 }), { minLength: 1, maxLength: 3 }),
  diesAtMs: fc.integer({ min: 20, max: 400 }),
});

const lastsMs = 700;

describe('ledger on the wire, when Redis loses its memory', function () {
  this.timeout(120_000);
  const redis = useEmbeddedRedis();
  const connections = useLedgerConnections();

  it('lets no rolling window see more than the limit, whenever it is emptied and whichever worker dies', async () => {
    const own = await Promise.all([0, 1].map(() => connections.open(redis.url)));
    let after = 0;
    const play = () =>
      fc.assert(
        fc.asyncProperty(scenario, async (played) => {
          const { limit, windowMs, flushAtMs, diesAtMs } = played;
          const space = `test:{${randomUUID()}}`;
          await openWithoutHold(createLedger(redis.client, space, settingsOf(played)));
          const arrivals: number[] = [];
          const flushes = flushAtMs.map((ms) => delay(ms).then(() => redis.client.flushall()));
          await Promise.all([
            ...flushes,
            work(own[0]!, space, played, lastsMs, arrivals),
            work(own[1]!, space, played, diesAtMs, arrivals).then(() =>
              work(own[1]!, space, played, lastsMs - diesAtMs, arrivals),
            ),
          ]);
          const most = mostInAnyWindow(arrivals, windowMs);
          assert.ok(most <= limit, `${most} arrivals in ${windowMs} ms, limit ${limit}`);
          const lastFlush = Math.max(...flushAtMs);
          if (arrivals.some((time) => time > Math.min(...arrivals) + lastFlush * 1_000)) after += 1;
        }),
        { numRuns: 8, endOnFailure: true },
      );
    // Calls were made again afterwards, or it would prove nothing.
    await untilProven(play, () => after >= 3);
  });
});

/**
 * Calls as often as it may; dies without a word, its last call perhaps in flight. Real time is what is tested here: RedisConnection is
 * emptied at any moment of a window that passes on the wire.
 */
async function work(
  connection: RedisConnection,
  space: string,
  settings: { limit: number; windowMs: number; callTimeoutMs: number },
  livesMs: number,
  arrivals: number[],
): Promise<void> {
  const ledger = createLedger(connection, space, settingsOf(settings));
  const endsAt = performance.now() + livesMs;
  await ledger.open();
  while (performance.now() < endsAt) {
    const callId = randomUUID();
    const reply = await ledger.spend({ callId, taskId: callId, machineId: 'm' });
    if (reply.kind === 'lost') {
      await ledger.open();
    } else if (reply.kind === 'granted') {
      const arrivedAt = await arrive(connection, reply.spentAtMs + settings.callTimeoutMs);
      if (arrivedAt !== undefined) arrivals.push(arrivedAt);
      if (callId < 'c') await ledger.recordAnswer(callId, { outcome: 'started', facts: {} });
    } else await delay(2);
  }
}

describe('ledger in a Redis that restarts or fails over', () => {
  before(requireRedisServer);
  const servers: RedisServer[] = [];
  const connections = useLedgerConnections();
  afterEach('stop servers', async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });
  async function start(options: Parameters<typeof startRedisServer>[0] = {}): Promise<RedisServer> {
    const server = await startRedisServer(options);
    servers.push(server);
    return server;
  }

  it('is the same after a restart with its append-only file: nothing is forgotten, or held for longer than workers need to come back', async () => {
    const server = await start({ appendOnly: true });
    const connection = await connections.open(server.url);
    const ledger = createLedger(connection, keySpace, quick);
    await openWithoutHold(ledger);
    assert.equal((await ledger.spend(call(1))).kind, 'granted');
    await server.kill();
    await server.restart();
    assert.equal((await untilAnswered(() => ledger.snapshot())).isLost, true);
    const { coldStart, restored } = await ledger.open();
    assert.deepEqual([coldStart, restored], [undefined, []]);
    const view = await ledger.snapshot();
    assert.deepEqual([view.isLost, view.slotsInUse.length], [false, 1]);
    await untilNotHeld(ledger);
    const newcomer = createLedger(connection, keySpace, quick);
    assert.deepEqual((await newcomer.open()).coldStart, undefined);
    assert.equal((await newcomer.snapshot()).hold, undefined);
  });

  it('is lost after a restart without one, and held', async () => {
    const server = await start();
    const ledger = createLedger(await connections.open(server.url), keySpace, settingsOf({}));
    await openWithoutHold(ledger);
    assert.equal((await ledger.spend(call(1))).kind, 'granted');
    await server.kill();
    await server.restart();
    assert.equal((await untilAnswered(() => ledger.spend(call(2)))).kind, 'lost');
    await ledger.open();
    const view = await ledger.snapshot();
    assert.deepEqual([view.hold?.reason, view.slotsInUse[0]?.call?.callId], ['cold_start', 'call-1']);
  });

  it('misses no call of a living worker after a failover to a replica that lagged', async () => {
    const primary = await start({ args: ['--repl-diskless-sync-delay', '0'] });
    const replica = await start();
    const connection = await connections.open(primary.url);
    const ledger = createLedger(connection, keySpace, quick);
    await openWithoutHold(ledger);
    assert.equal((await ledger.spend(call(1))).kind, 'granted');
    const operator = await connections.open(replica.url);
    await operator.replicaof('127.0.0.1', primary.port);
    await waitFor(async () => (await operator.info('replication')).includes('master_link_status:up'), {
      what: 'the replica to have followed',
    });
    await operator.replicaof('NO', 'ONE');
    assert.equal((await ledger.spend(call(2))).kind, 'granted');
    assert.equal((await ledger.spend(call(3))).kind, 'full');

    (connection as Redis).options.port = replica.port;
    await primary.kill();
    assert.equal((await untilAnswered(() => ledger.spend(call(3)))).kind, 'lost');
    assert.deepEqual(
      (await ledger.open()).restored.map(({ callId }) => callId),
      ['call-2'],
    );
    await untilNotHeld(ledger);
    assert.equal((await ledger.spend(call(3))).kind, 'full');
    const { slotsInUse } = await ledger.snapshot();
    assert.deepEqual(
      slotsInUse.map((slot) => slot.call?.callId),
      ['call-1', 'call-2'],
    );
  });
});

const quick = settingsOf({ handover: { atLeastMs: 100, atMostMs: 500 } });

function untilNotHeld(ledger: Ledger) {
  return waitFor(async () => (await ledger.snapshot()).hold === undefined, { what: 'the hold to end' });
}

function untilAnswered<T>(ask: () => Promise<T>) {
  return waitFor(ask, { what: 'an answer' });
}
