import assert from 'node:assert/strict';
import { priorities } from '@diq/contracts/priority.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from './accept-requests.ts';
import { createDryRun } from './dry-run.ts';
import type { DryRun, Place } from './dry-run.ts';
import { storeKeys } from '../store-keys.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import type { SuiteStore } from '../test-support/use-test-store.ts';

const keys = storeKeys(keySpace);
const hourMs = 3_600_000;
const rules = { reuseWindowMs: hourMs, maxJoined: 3 };
const from = <T>(choices: readonly T[], n: number): T => choices[n % choices.length] as T;

describe('dry run of requests that are to be accepted', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let intake: SuiteStore['intake'];
  let dryRun: DryRun;

  beforeEach(async () => {
    const { jobs } = store;
    intake = createRequestIntake({ redis: store.redis, keySpace, jobs, retentionMs, ...rules });
    dryRun = createDryRun(store.redis, keySpace, jobs, rules);
  });

  const foresee = (items: readonly InvestigationItem[], nowMs: number) =>
    dryRun.place(items, { nowMs, caller: 'caller' });

  /** Accepts the items; for each, what was foreseen and what came. */
  async function compare(items: readonly InvestigationItem[], nowMs: number) {
    const places = await foresee(items, nowMs);
    const { accepted } = await intake.acceptBatch(items, { nowMs, caller: 'caller' });
    const came = await Promise.all(
      accepted.map(async (answer) => {
        if (!answer || 'refused' in answer) return { kind: 'full', with: undefined, position: undefined };
        const { taskId } = await store.request(answer.id);
        const [position] = await store.jobs.positions([taskId]);
        const kind =
          answer.result !== undefined ? 'reused' : answer.coalescedWith === undefined ? 'own' : 'joins';
        return { kind, with: answer.coalescedWith, position };
      }),
    );
    const foreseen = places.map((place) => ({
      kind: place.kind,
      with: withOf(place, accepted),
      position: place.position,
    }));
    return { foreseen, came };
  }

  it('gives every request the place that it gets, whatever its class and source and whatever waits already', async () => {
    for (let round = 0; round < 6; round += 1) {
      const items = mixed(40, round, 70);
      const { foreseen, came } = await compare(items, arrivedAtMs + round * 3 * hourMs);
      assert.deepEqual(foreseen, came, `round ${round}`);
    }
  });

  it('begins at the virtual time of a class when tasks were begun meanwhile', async () => {
    const items = (first: number, source: string) =>
      Array.from({ length: 6 }, (_, i) => item({ machineId: machine(first + i), source }));
    await intake.acceptBatch([...items(1, 'a'), ...items(11, 'b')], { nowMs: arrivedAtMs, caller: 'caller' });
    for (const id of (await store.tasks.waitingPage(0, 3)).slice(0, 3)) {
      await store.jobs.remove(id);
      await store.tasks.begin(id, `call-${id}`);
    }
    const { foreseen, came } = await compare([...items(21, 'a'), ...items(31, 'c')], arrivedAtMs + hourMs);
    assert.deepEqual(foreseen, came);
  });

  it('knows an investigation that was started a while ago, and that too many wait for a machine', async () => {
    const { id } = (await intake.acceptOne(item(), { nowMs: arrivedAtMs })) as { id: string };
    const { taskId } = await store.request(id);
    await store.tasks.begin(taskId, 'call');
    await store.tasks.settle(taskId, 'call', {
      status: 'started',
      result: { kind: 'investigation', id: '7' },
      attempts: 1,
    });
    const shared = {
      kind: 'reused',
      with: id,
      result: { kind: 'investigation', id: '7' },
      position: undefined,
    };
    assert.deepEqual(await foresee([item()], Date.now()), [shared]);
    const recentKey = keys.machineRecent(machine(1));
    const recent = JSON.parse((await store.redis.get(recentKey)) ?? '') as { startedAt: string };
    const earlier = { ...recent, startedAt: String(Number(recent.startedAt) - 2 * hourMs) };
    await store.redis.set(recentKey, JSON.stringify(earlier));
    assert.deepEqual(
      (await foresee([item()], Date.now())).map(({ kind }) => kind),
      ['own'],
    );
    const crowd = Array.from({ length: 6 }, () => item({ machineId: machine(2) }));
    const { foreseen, came } = await compare(crowd, Date.now());
    assert.deepEqual(foreseen, came);
    assert.deepEqual(
      came.map(({ kind }) => kind),
      ['own', 'joins', 'joins', 'joins', 'full', 'full'],
    );
  });

  it('goes on over chunks as the real one does: same machines, sources and promoted tasks in all of them', async () => {
    await intake.acceptBatch(mixed(300, 1, 400), { nowMs: arrivedAtMs, caller: 'caller' });
    const { foreseen, came } = await compare(mixed(700, 13, 500), arrivedAtMs + hourMs);
    assert.deepEqual(foreseen, came);
  });

  it('gives those that are left the places that they get without those that are refused', async () => {
    await intake.acceptBatch(mixed(40, 3, 60), { nowMs: arrivedAtMs, caller: 'caller' });
    const items = mixed(60, 5, 80);
    const nowMs = arrivedAtMs + hourMs;
    const places = await dryRun.place(items, { nowMs, caller: 'caller' }, (index) => index % 3 === 0);
    const isLeft = (_: unknown, index: number) => places[index]?.kind !== 'refused';
    assert.deepEqual(
      places.flatMap(({ kind }, index) => (kind === 'refused' ? [index] : [])),
      [...items.keys()].filter((index) => index % 3 === 0),
    );
    const { came } = await compare(items.filter(isLeft), nowMs);
    assert.deepEqual(
      places.filter(isLeft).map(({ position }) => position),
      came.map(({ position }) => position),
    );
  });

  it('writes nothing', async () => {
    await intake.acceptBatch(mixed(40, 1, 60), { nowMs: arrivedAtMs, caller: 'caller' });
    const before = await dumpAll();
    await foresee(mixed(600, 7, 300), arrivedAtMs + 1);
    assert.deepEqual(await dumpAll(), before);
    await redis.flush();
    await foresee(mixed(40, 7, 60), arrivedAtMs + 1);
    assert.deepEqual(await dumpAll(), []);
  });

  it('costs as many commands with 100,000 waiting as with a few', async () => {
    const items = mixed(600, 7, 300);
    await intake.acceptBatch([item({ machineId: machine(9_999) })], { nowMs: arrivedAtMs, caller: 'caller' });
    const few = await commandsOf(() => foresee(items, arrivedAtMs + 1));
    for (let from = 1; from <= 100_000; from += 5_000)
      await store.redis.eval(
        `for i = ARGV[2], ARGV[2] + 4999 do
          redis.call('ZADD', KEYS[1], ARGV[1], 'filler' .. i)
          redis.call('ZADD', KEYS[2], i * 2 ^ 32, 'filler' .. i)
        end`,
        2,
        keys.waiting,
        keys.jobOrder,
        arrivedAtMs,
        from,
      );
    const many = await commandsOf(() => foresee(items, arrivedAtMs + 1));
    // One for each job priority that occurs, and as many for each item: what waits does not count.
    assert.equal(many, few);
    assert.ok(many < 10 * items.length, `${many} commands`);
  });

  async function dumpAll() {
    const names = (await store.redis.keys('*')).toSorted();
    const contents = await Promise.all(names.map((name) => store.redis.dumpBuffer(name)));
    return names.map((name, i) => [name, contents[i]?.toString('hex')]);
  }

  /** How many commands Redis carried out, those in scripts included. */
  async function commandsOf(act: () => Promise<unknown>): Promise<number> {
    await store.redis.config('RESETSTAT');
    await act();
    const calls = (await store.redis.info('commandstats')).matchAll(/^cmdstat_\w+:calls=(\d+)/gm);
    return [...calls].reduce((sum, [, count]) => sum + Number(count), 0);
  }
});

/** Items of all classes and some sources, on machines of which many occur twice. */
function mixed(count: number, seed: number, machines: number): InvestigationItem[] {
  return Array.from({ length: count }, (_, i) => {
    const n = (seed * 977 + i * 7919) % 10_007;
    const source = from([undefined, 'xsoar', 'sentinel', 'splunk'], n >> 3);
    return item({
      machineId: machine(1 + (n % machines)),
      priority: from(priorities, n),
      ...(source === undefined ? {} : { source }),
    });
  });
}

type Answers = Awaited<ReturnType<SuiteStore['intake']['acceptBatch']>>['accepted'];

function withOf(place: Place, accepted: Answers): string | undefined {
  if (place.kind === 'reused') return place.with;
  if (place.kind !== 'joins') return undefined;
  if ('first' in place.joins) return place.joins.first;
  const other = accepted[place.joins.index];
  return other && 'id' in other ? other.id : undefined;
}
