import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createRequestIntake } from './accept-requests.ts';
import { StorageFullError } from './accept-chunk.ts';
import { createAuditLog } from '../operations/audit-log.ts';
import { createBacklogRoom } from './backlog-reservation.ts';
import { openBatch } from '../batches/batch-record.ts';
import { createBulkCancel } from '../requests/bulk-cancel.ts';
import { createTaskStore } from '../tasks/task-store.ts';
import { createIdempotencyStore } from './idempotency-store.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import { createPurge } from '../operations/purge.ts';
import type { PurgeFilter } from '../operations/purge.ts';
import { freshIds } from './request-ids.ts';
import type { RequestIds } from './request-ids.ts';
import { createRequestActions } from '../requests/request-actions.ts';
import { storeKeys } from '../store-keys.ts';
import { batchBytes, requestBytes, usualBytes } from './stored-bytes.ts';
import { arrivedAtMs, item, keySpace, machine } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const anna = { name: 'anna' };
const hourMs = 3_600_000;
const refused = { rejected: { index: 1, error: { code: 'invalid_item' as const, errors: [] } } };
const past = new Date(Date.now() - 60_000).toISOString();
/** The last one's name does not fit one part of the record. */
const callers = ['soar', 'portal', `entra:${'x'.repeat(70)}`];

type Step =
  | { do: 'acceptOne' | 'acceptLate' | 'reserveKey' | 'breakOff'; caller: number; machine: number }
  | { do: 'acceptBatch'; caller: number; machines: number[] }
  | { do: 'repeatBatch' | 'purgeBatch' | 'cancelBatch'; batch: number }
  | { do: 'cancel' | 'change' | 'end'; request: number }
  | { do: 'answerKey' | 'forgetKey' | 'claimAgain'; key: number }
  | { do: 'call'; request: number; status: 'started' | 'failed' }
  | { do: 'purgeCaller'; caller: number }
  | { do: 'expireDue' };

/** Once it broke off: what is repeated was deleted in part, and finds too many joined. */
const repeatedAfterPurge: Step[] = [
  { do: 'acceptBatch', caller: 1, machines: [3, 3, 3, 1] },
  { do: 'cancel', request: 0 },
  { do: 'acceptBatch', caller: 0, machines: [3, 3, 1] },
  { do: 'purgeCaller', caller: 1 },
  { do: 'repeatBatch', batch: 0 },
];

const one = fc.nat(40);
const aCaller = fc.nat(callers.length - 1);
// Few enough to be joined, and to have too many joined.
const aMachine = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('acceptOne', 'acceptLate', 'reserveKey', 'breakOff'),
    caller: aCaller,
    machine: aMachine,
  }),
  fc.record({
    do: fc.constant('acceptBatch'),
    caller: aCaller,
    machines: fc.array(aMachine, { minLength: 1, maxLength: 6 }),
  }),
  fc.record({ do: fc.constantFrom('repeatBatch', 'purgeBatch', 'cancelBatch'), batch: one }),
  fc.record({ do: fc.constantFrom('cancel', 'change', 'end'), request: one }),
  fc.record({ do: fc.constantFrom('answerKey', 'forgetKey', 'claimAgain'), key: one }),
  fc.record({ do: fc.constant('call'), request: one, status: fc.constantFrom('started', 'failed') }),
  fc.record({ do: fc.constant('purgeCaller'), caller: aCaller }),
  fc.record({ do: fc.constant('expireDue') }),
);

describe('the bytes that are stored of a caller', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);

  /** What intake and worker do, with everything kept for so long after its end. */
  function open(retentionMs = hourMs) {
    const options = { redis: store.redis, keySpace, jobs: store.jobs, retentionMs };
    const audit = createAuditLog(store.redis, keySpace, retentionMs);
    const actions = { ...options, audit, order: defaultOrderRules, auditKeptMs: retentionMs };
    return {
      intake: createRequestIntake({ ...options, reuseWindowMs: hourMs, maxJoined: 3 }),
      tasks: createTaskStore(store.redis, keySpace, retentionMs),
      actions: createRequestActions(actions),
      cancelMany: createBulkCancel(actions),
      room: createBacklogRoom(store.redis, keySpace),
      idempotency: createIdempotencyStore(store.redis, keySpace, { leaseMs: 1, keepMs: retentionMs }),
      purge: (filter: PurgeFilter) => createPurge(actions).purge(filter, anna, { budgetMs: 5_000 }),
    };
  }
  /** Of those whose requests they are; anna only acts on them. */
  async function counted() {
    const { [anna.name]: _, ...ofCallers } = await redis.client.hgetall(keys.stored);
    return ofCallers;
  }
  /** Takes back what has gone, as every POST does. */
  const snapshot = (caller: string, bytesOfCaller = 1) => {
    const bounds = { requests: 10, tasks: undefined, bytesOfCaller };
    return createBacklogRoom(store.redis, keySpace).keep(
      1,
      bounds,
      freshIds('00000000').batch,
      caller,
      bytesOfCaller,
    );
  };

  /** By caller, and of it what goes by itself, by the time and the caller; out of the records themselves. */
  async function recounted(keyCallers: ReadonlyMap<string, string>) {
    const sums = new Map<string, number>();
    const going = new Map<string, number>();
    for (const name of await redis.client.keys(`${keySpace}:*`)) {
      if (!/:(?:request|batch|idempotency):[^:]*$/.test(name)) continue;
      const {
        b: bytes = usualBytes,
        caller = '',
        caller1 = '',
        countedUntil,
      } = await redis.client.hgetall(name);
      const whose = keyCallers.get(name) ?? caller + caller1;
      assert.ok(Number(bytes) > 0, `${name} counts`);
      sums.set(whose, (sums.get(whose) ?? 0) + Number(bytes));
      const goes = `${countedUntil} ${whose}`;
      if (countedUntil !== undefined) going.set(goes, (going.get(goes) ?? 0) + Number(bytes));
    }
    const asCounted = (of: Map<string, number>) =>
      Object.fromEntries([...of].map(([name, sum]) => [name, String(sum)]));
    return { stored: asCounted(sums), going: asCounted(going), entries: await countedEntries() };
  }
  /** What the audit log holds of those who only act on requests. */
  async function countedEntries(): Promise<number> {
    let sum = 0;
    for (const [, [, entry = '']] of await redis.client.xrange(keys.audit, '-', '+')) {
      const bytes = Buffer.byteLength(entry);
      const { action } = JSON.parse(entry) as { action: string };
      if (action === 'cancel' || action === 'change') sum += bytes;
      // With the one that tells what was done.
      if (action === 'cancel_many') sum += 2 * bytes + 80;
    }
    return sum;
  }
  /** The same as it was counted. */
  async function countedToo() {
    const going: Record<string, string> = {};
    for (const time of await redis.client.zrange(`${keys.stored}:times`, 0, '-1')) {
      const ofTime = await redis.client.hgetall(`${keys.stored}:${time}`);
      for (const [caller, bytes] of Object.entries(ofTime))
        if (caller !== anna.name) going[`${time} ${caller}`] = bytes;
    }
    const entries = Number(await redis.client.hget(keys.stored, anna.name));
    return { stored: await counted(), going, entries };
  }

  it('are what is counted, whatever is accepted, repeated, changed, called, ended, forgotten and deleted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        await redis.flush();
        const parts = open();
        const requests: string[] = [];
        const batches: { ids: RequestIds; machines: number[]; caller: string }[] = [];
        const attempts: ReturnType<typeof parts.idempotency.attempt>[] = [];
        const keyCallers = new Map<string, string>();
        const pick = <T>(from: readonly T[], number: number): T | undefined => from[number % from.length];
        const taskOf = async (number: number) => {
          const found = await store.reader.findRequest(pick(requests, number) ?? '');
          return found && (await store.tasks.find(found.taskId));
        };
        const postBatch = async ({ ids, machines, caller }: (typeof batches)[number]) => {
          const items = machines.map((n) =>
            item({ machineId: machine(n), source: caller.slice(0, 9), comment: 'x'.repeat(140 * n) }),
          );
          const { accepted } = await parts.intake.acceptBatch([...items, refused], {
            nowMs: arrivedAtMs,
            ids,
            caller,
          });
          requests.push(...accepted.flatMap((answer) => (answer ? [answer.id] : [])));
        };
        async function take(given: Step): Promise<void> {
          switch (given.do) {
            case 'acceptOne':
            case 'acceptLate': {
              const late = given.do === 'acceptLate' ? { notAfter: past } : {};
              const asked = item({ machineId: machine(given.machine), ...late });
              const accepting = parts.intake.acceptOne(asked, {
                nowMs: arrivedAtMs,
                caller: callers[given.caller],
              });
              const accepted = await accepting.catch(() => undefined);
              if (accepted) requests.push(accepted.id);
              return;
            }
            case 'acceptBatch': {
              const batch = {
                ids: freshIds('00000000'),
                machines: given.machines,
                caller: callers[given.caller] ?? '',
              };
              batches.push(batch);
              return await postBatch(batch);
            }
            case 'breakOff': {
              const [batchId, caller] = [freshIds('00000000').batch, callers[given.caller]];
              const batch = { batchId, caller, nowMs: arrivedAtMs, items: ['1'], rejected: 0 };
              return await openBatch(store.redis, keySpace, { ...batch, retentionMs: hourMs });
            }
            case 'repeatBatch': {
              const batch = pick(batches, given.batch);
              return batch && (await postBatch(batch));
            }
            case 'purgeBatch': {
              await parts.purge({
                batchId: pick(batches, given.batch)?.ids.batch ?? freshIds('00000000').batch,
              });
              return;
            }
            case 'cancelBatch': {
              const batchId = pick(batches, given.batch)?.ids.batch ?? freshIds('00000000').batch;
              await parts.cancelMany.cancel({ batchId }, anna, { budgetMs: 5_000 });
              return;
            }
            case 'cancel': {
              await parts.actions.cancel(pick(requests, given.request) ?? '', anna);
              return;
            }
            case 'change': {
              const change = { priority: 'critical' as const, notAfter: null };
              await parts.actions.change(pick(requests, given.request) ?? '', change, anna);
              return;
            }
            case 'end': {
              const task = await taskOf(given.request);
              await parts.tasks.endWaiting(task?.id ?? '', { status: 'cancelled', attempts: 0 });
              return;
            }
            case 'call': {
              const { id = '' } = (await taskOf(given.request)) ?? {};
              const outcome =
                given.status === 'started'
                  ? {
                      status: 'started' as const,
                      result: { kind: 'investigation' as const, id: '7' },
                      attempts: 1,
                    }
                  : { status: 'failed' as const, error: { code: 'x', message: 'y' }, attempts: 1 };
              if ((await parts.tasks.begin(id, 'call')).moved) await parts.tasks.settle(id, 'call', outcome);
              return;
            }
            case 'reserveKey': {
              const [name, caller = ''] = [String(attempts.length), callers[given.caller]];
              const attempt = parts.idempotency.attempt(name, caller);
              attempts.push(attempt);
              keyCallers.set(keys.idempotency(name), caller);
              await attempt.claim('digest', arrivedAtMs);
              return;
            }
            case 'claimAgain': {
              await pick(attempts, given.key)?.claim('digest', arrivedAtMs);
              return;
            }
            case 'answerKey':
              return await pick(attempts, given.key)?.store(Buffer.alloc(5_000, 'x'));
            case 'forgetKey':
              return await pick(attempts, given.key)?.forget();
            case 'purgeCaller': {
              await parts.purge({ caller: callers[given.caller] });
              return;
            }
            case 'expireDue': {
              await parts.tasks.expireDue();
              return;
            }
            default:
              given satisfies never;
          }
        }
        for (const given of steps) {
          await take(given);
          assert.deepEqual(await countedToo(), await recounted(keyCallers), JSON.stringify(given));
        }
      }),
      { numRuns: 40, examples: [[repeatedAfterPurge]] },
    );
  }).timeout(60_000);

  it('are bytes, whatever the texts are written in, for requests and for lists of batches', () => {
    const [latin, japanese] = ['a'.repeat(900), 'あ'.repeat(300)];
    assert.equal(requestBytes(item({ comment: japanese })), requestBytes(item({ comment: latin })));
    assert.equal(batchBytes({ items: [japanese] }), batchBytes({ items: [latin] }));
    assert.equal(
      batchBytes({ items: [], callbackUrl: japanese }),
      batchBytes({ items: [], callbackUrl: latin }),
    );
  });

  it('are those of the JSON that is stored: quotes, backslashes and line ends count twice', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', '\n', '\r', '\t', 'a', 'ü', '🚨'),
      minLength: 400,
    });
    fc.assert(
      fc.property(text, (comment) => {
        const plain = 'a'.repeat(Buffer.byteLength(JSON.stringify(comment)) - 2);
        assert.equal(requestBytes(item({ comment })), requestBytes(item({ comment: plain })));
        const correlation = { [comment]: comment };
        assert.equal(
          requestBytes(item({ correlation })),
          requestBytes(item({ correlation: { [plain]: plain } })),
        );
      }),
    );
  });

  it('are none any more once all of it was deleted', async () => {
    const { intake, actions, purge } = open();
    const { accepted, batchId } = await intake.acceptBatch([item(), refused], {
      nowMs: arrivedAtMs,
      caller: 'soar',
    });
    await actions.cancel(accepted[0]!.id, anna);
    await purge({ batchId });
    assert.deepEqual(await counted(), {});
  });

  it('are none any more once all of it has gone by itself, and what waits stays', async () => {
    const { intake, actions, idempotency } = open(200);
    const { accepted } = await intake.acceptBatch([item(), item({ machineId: machine(2) })], {
      nowMs: arrivedAtMs,
      caller: 'soar',
    });
    const { accepted: waiting, batchId } = await intake.acceptBatch([item({ machineId: machine(3) })], {
      nowMs: arrivedAtMs,
      caller: 'portal',
    });
    const { portal } = await counted();
    await idempotency.attempt('key', 'soar').claim('digest', arrivedAtMs);
    for (const answer of accepted) await actions.cancel(answer!.id, anna);
    const isGone = async () => {
      await snapshot('soar');
      return !('soar' in (await counted()));
    };
    await waitFor(isGone, { what: 'nothing of it to be counted' });
    // Its own time would have been over by now as well, had it not been sealed.
    assert.deepEqual(await counted(), { portal });
    assert.equal((await store.reader.findBatch(batchId))?.counts.queued, 1);
    await actions.cancel(waiting[0]!.id, anna);
    await waitFor(async () => (await snapshot('portal')) && (await redis.client.exists(keys.stored)) === 0, {
      what: 'nothing to be counted',
    });
    assert.deepEqual(await redis.client.keys(`${keySpace}:stored*`), []);
  });

  it('are those of what is kept as well, until its time is over', async () => {
    const [seconds] = await redis.client.time();
    const [over, later] = [(Number(seconds) - 1) * 1_000, (Number(seconds) + 600) * 1_000];
    await redis.client.hset(keys.stored, 'soar', 70);
    for (const [time, bytes] of [
      [over, 30],
      [later, 20],
    ] as const) {
      await redis.client.hset(`${keys.stored}:${time}`, 'soar', bytes);
      await redis.client.zadd(`${keys.stored}:times`, time, String(time));
    }
    await snapshot('portal');
    const { stored, going } = await countedToo();
    assert.deepEqual({ stored, going }, { stored: { soar: '40' }, going: { [`${later} soar`]: '20' } });
  });

  it('are those of an Idempotency-Key once, however often it is claimed, and more with its answer', async () => {
    const { idempotency } = open();
    const [one, other] = [idempotency.attempt('one', 'soar'), idempotency.attempt('other', 'soar')];
    for (const attempt of [one, other]) await attempt.claim('digest', arrivedAtMs);
    const claimed = await counted();
    await one.claim('digest', arrivedAtMs);
    assert.deepEqual(await counted(), claimed);
    await one.store(Buffer.alloc(5_000, 'x'));
    const { stored, going } = await countedToo();
    assert.equal(Number(stored['soar']), Number(claimed['soar']) + 5_000);
    // All of it goes by itself.
    const sum = Object.values(going).reduce((total, bytes) => total + Number(bytes), 0);
    assert.equal(sum, Number(stored['soar']));
  });

  it('of an earlier version, which kept no caller, are not counted, and take nothing from those that are', async () => {
    const { intake, actions, purge } = open();
    const [old, counting] = [
      await intake.acceptBatch([item()], { nowMs: arrivedAtMs }),
      await intake.acceptBatch([item({ machineId: machine(2) })], { nowMs: arrivedAtMs, caller: 'soar' }),
    ];
    const before = await counted();
    await actions.cancel(old.accepted[0]!.id, anna);
    await purge({ batchId: old.batchId });
    assert.deepEqual(await counted(), before);
    await redis.client.del(keys.stored);
    await actions.cancel(counting.accepted[0]!.id, anna);
    await purge({ caller: 'soar' });
    assert.deepEqual(await counted(), {}, 'never below nothing');
  });

  describe('have a bound', () => {
    const bounds = { requests: 100, tasks: undefined, bytesOfCaller: 2 * requestBytes(item()) };
    const post = (n: number, caller: string) =>
      open().intake.acceptOne(item({ machineId: machine(n) }), {
        nowMs: arrivedAtMs,
        ids: freshIds('00000000'),
        caller,
        bounds,
      });

    it('above which nothing of the caller is recorded, and everything of others', async () => {
      await post(1, 'soar');
      const { id } = await post(2, 'soar');
      const before = await store.dump();
      await assert.rejects(post(3, 'soar'), (error) => {
        assert.ok(error instanceof StorageFullError);
        assert.equal(error.storedBytes, bounds.bytesOfCaller);
        return true;
      });
      assert.deepEqual(await store.dump(), before);
      await post(3, 'portal');
      await open().actions.cancel(id, anna);
      await assert.rejects(post(4, 'soar'), StorageFullError, 'what was cancelled is kept');
      await open().purge({ caller: 'soar' });
      await post(4, 'soar');
    });

    it('that two batches at once cannot pass together, whichever intakes take them in', async () => {
      const { room } = open();
      const keep = (caller: string, batch = freshIds('00000000').batch) =>
        room.keep(1, bounds, batch, caller, 2_000);
      const first = await keep('soar');
      assert.ok(first.kind === 'kept');
      assert.deepEqual(await keep('soar'), { kind: 'storage-full', storedBytes: 2_000 });
      assert.equal((await keep('portal')).kind, 'kept');
      await first.giveBack();
      assert.equal((await keep('soar')).kind, 'kept');
    });

    it('that a request is held against as well while room is kept for a batch', async () => {
      await open().room.keep(1, bounds, freshIds('00000000').batch, 'soar', bounds.bytesOfCaller);
      await assert.rejects(post(1, 'soar'), StorageFullError);
      await post(1, 'portal');
    });

    it('that keeps no caller from completing what was begun', async () => {
      const ids = freshIds('00000000');
      const { intake } = open();
      const again = () =>
        intake.acceptOne(item(), {
          nowMs: arrivedAtMs,
          ids,
          caller: 'soar',
          bounds: { ...bounds, bytesOfCaller: 1_900 },
        });
      assert.equal((await again()).id, (await again()).id);
    });
  });
});
