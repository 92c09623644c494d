import assert from 'node:assert/strict';
import { priorities } from '@diq/contracts/priority.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { createRequestIntake } from '../admission/accept-requests.ts';
import { placeInOrder } from './positions.ts';
import { createRequestPreview } from './simulate-admission.ts';
import { arrivedAtMs, item, keySpace, machine, retentionMs } from '../test-support/test-store.ts';
import { useTestStore } from '../test-support/use-test-store.ts';
import type { SuiteStore } from '../test-support/use-test-store.ts';

const hourMs = 3_600_000;
const rules = { reuseWindowMs: hourMs, maxJoined: 3 };
const from = <T>(choices: readonly T[], n: number): T => choices[n % choices.length] as T;

describe('preview of requests that are to be accepted', () => {
  const redis = useEmbeddedRedis();
  const store = useTestStore(redis);
  let intake: SuiteStore['intake'];
  let preview: ReturnType<typeof createRequestPreview>;

  beforeEach(async () => {
    const { jobs } = store;
    intake = createRequestIntake({ redis: store.redis, keySpace, jobs, retentionMs, ...rules });
    preview = createRequestPreview(store.redis, keySpace, jobs, rules);
  });

  async function foresee(items: readonly InvestigationItem[], nowMs: number) {
    const snapshot = await preview.read(items, nowMs, 'caller');
    return placeInOrder(snapshot.candidates, snapshot);
  }

  /** Accepts the items and tells for each what was foreseen and what came. */
  async function compare(items: readonly InvestigationItem[], nowMs: number) {
    const places = await foresee(items, nowMs);
    const { accepted } = await intake.acceptBatch(items, nowMs, undefined, 'caller');
    const came = await Promise.all(
      accepted.map(async (answer) => {
        if (!answer || 'refused' in answer) return { kind: 'full', with: undefined, position: undefined };
        const { taskId } = await store.request(answer.id);
        const [position] = await store.jobs.positions([taskId]);
        const kind =
          answer.investigationId !== undefined
            ? 'reused'
            : answer.coalescedWith === undefined
              ? 'own'
              : 'joins';
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
      const items = Array.from({ length: 40 }, (_, i) => {
        const n = (round * 977 + i * 7919) % 10_007;
        const source = from([undefined, 'xsoar', 'sentinel', 'splunk'], n >> 3);
        return item({
          machineId: machine(1 + (n % 70)),
          priority: from(priorities, n),
          ...(source === undefined ? {} : { source }),
        });
      });
      const { foreseen, came } = await compare(items, arrivedAtMs + round * 3 * hourMs);
      assert.deepEqual(foreseen, came, `round ${round}`);
    }
  });

  it('begins where the line of a class is when tasks were begun meanwhile', async () => {
    const items = (first: number, source: string) =>
      Array.from({ length: 6 }, (_, i) => item({ machineId: machine(first + i), source }));
    await intake.acceptBatch([...items(1, 'a'), ...items(11, 'b')], arrivedAtMs, undefined, 'caller');
    for (const id of (await store.tasks.waitingPage(0, 3)).slice(0, 3)) {
      await store.jobs.remove(id);
      await store.tasks.begin(id, `call-${id}`);
    }
    const { foreseen, came } = await compare([...items(21, 'a'), ...items(31, 'c')], arrivedAtMs + hourMs);
    assert.deepEqual(foreseen, came);
  });

  it('knows an investigation that was started a while ago, and that too many wait for a machine', async () => {
    const { id } = (await intake.acceptOne(item(), arrivedAtMs)) as { id: string };
    const { taskId } = await store.request(id);
    await store.tasks.begin(taskId, 'call');
    await store.tasks.settle(taskId, 'call', {
      status: 'started',
      investigationId: '7',
      attempts: 1,
    });
    const shared = { kind: 'reused', with: id, investigationId: '7', position: undefined };
    assert.deepEqual(await foresee([item()], Date.now()), [shared]);
    assert.deepEqual(
      (await foresee([item()], Date.now() + 2 * hourMs)).map(({ kind }) => kind),
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

  it('writes nothing', async () => {
    await intake.acceptBatch([item(), item({ machineId: machine(2), priority: 'high' })], arrivedAtMs);
    const before = await store.dump();
    await foresee([item({ priority: 'critical' }), item({ machineId: machine(3) })], arrivedAtMs + 1);
    assert.deepEqual(await store.dump(), before);
  });
});

type Answers = Awaited<ReturnType<SuiteStore['intake']['acceptBatch']>>['accepted'];

function withOf(place: ReturnType<typeof placeInOrder>[number], accepted: Answers): string | undefined {
  if (place.kind === 'reused') return place.with;
  if (place.kind !== 'joins') return undefined;
  if ('first' in place.joins) return place.joins.first;
  const other = accepted[place.joins.index];
  return other && 'id' in other ? other.id : undefined;
}
