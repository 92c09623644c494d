import assert from 'node:assert/strict';
import { closeRedis, openProducerConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { expectProblem } from '../../test-support/expect-problem.ts';
import { useIntake } from '../../test-support/intake-under-test.ts';
import { item, machineId } from '../../test-support/items.ts';
import { beginCall, makeCall } from '../../test-support/worker-moves.ts';
import type { BatchDryRun } from '@diq/contracts/item-answer.ts';

describe('POST /v1/batches?dryRun=true', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, {
    DEFENDER_CALLS_PER_WINDOW: '2',
    DEFENDER_WINDOW: '1h',
    QUOTA_RESERVE_CRITICAL: '0',
  });

  async function foresee(body: object): Promise<BatchDryRun> {
    const response = await intake.post('/v1/batches?dryRun=true', body).expect(200);
    return response.body as BatchDryRun;
  }
  const submit = async (body: object) =>
    (await intake.post('/v1/batches', body).expect(202)).body as { id: string; items: { id: string }[] };

  it('tells what would become of each item and when it would start, and what comes is the same', async () => {
    await submit({ requests: [item(1), item(2, { priority: 'low' }), item(3)] });
    const batch = {
      requests: [
        item(11, { priority: 'low' }),
        item(2),
        item(12),
        'bad',
        item(12),
        item(13, { priority: 'high' }),
      ],
    };
    const foreseen = await foresee(batch);
    assert.equal(foreseen.dryRun, true);
    assert.deepEqual(foreseen.counts, { accepted: 3, coalesced: 2, rejected: 1 });
    const real = await submit(batch);
    const documents = await Promise.all(
      real.items.map(async ({ id }) =>
        id === undefined
          ? undefined
          : ((await intake.get(`/v1/investigations/${id}`).expect(200)).body as Record<string, unknown>),
      ),
    );
    for (const [i, answer] of foreseen.items.entries()) {
      const { index, status, machineId, position, expectedStartAt } = answer as unknown as Record<
        string,
        unknown
      >;
      const {
        index: at,
        status: became,
        machineId: of,
      } = real.items[i] as unknown as Record<string, unknown>;
      assert.deepEqual([index, status, machineId], [at, became, of]);
      assert.equal(position, documents[i]?.['position'], `position of item ${i}`);
      if (status !== 'rejected') assertClose(expectedStartAt, documents[i]?.['expectedStartAt']);
    }
    const joined = foreseen.items[1];
    assert.ok(joined && 'coalescedWith' in joined);
    assert.equal(joined.coalescedWith, documents[1]?.['coalescedWith']);
    assert.ok(foreseen.items[4] && 'coalescedWithIndex' in foreseen.items[4]);
    assert.equal(foreseen.items[4].coalescedWithIndex, 2);
    const { expectedCompletionAt } = (await intake.get(`/v1/batches/${real.id}`)).body as BatchDryRun;
    assertClose(foreseen.expectedCompletionAt, expectedCompletionAt);
  });

  it('tells of what would share a call under way or an investigation that was started', async () => {
    const earlier = await submit({ requests: [item(21), item(22)] });
    await beginCall(intake, machineId(21));
    await makeCall(intake, machineId(22), { status: 'started', investigationId: '5146', attempts: 1 });
    const { items } = await foresee({ requests: [item(21), item(22)] });
    assert.deepEqual(items, [
      { index: 0, machineId: machineId(21), status: 'coalesced', coalescedWith: earlier.items[0]?.id },
      {
        index: 1,
        machineId: machineId(22),
        status: 'coalesced',
        coalescedWith: earlier.items[1]?.id,
        investigationId: '5146',
      },
    ]);
  });

  it('changes nothing in Redis', async () => {
    const connection = openProducerConnection({
      settings: { url: redis.url },
      name: 'dump',
      logger: { info() {}, warn() {} },
    });
    await waitUntilReady(connection, 5_000);
    const dump = async () => {
      const names = (await connection.keys('*')).toSorted();
      const contents = await Promise.all(names.map((name) => connection.dumpBuffer(name)));
      return names.map((name, i) => [name, contents[i]?.toString('hex')]);
    };
    try {
      const before = await dump();
      assert.ok(before.length > 10);
      const requests = Array.from({ length: 300 }, (_, n) =>
        item(1 + n, { notAfter: '2099-01-01T00:00:00Z' }),
      );
      await foresee({ requests, defaults: { priority: 'critical', strict: true } });
      await intake.post('/v1/batches?dryRun=true', { requests }).set('Idempotency-Key', 'k').expect(200);
      assert.deepEqual(await dump(), before);
    } finally {
      await closeRedis(connection);
    }
  });

  it('counts in no metric and leaves no line that says it was accepted', async () => {
    const outcomes = async () =>
      (await intake.anonymously().get('/metrics')).text
        .split('\n')
        .filter((line) => line.startsWith('diq_requests_total'));
    const [before, lines] = [await outcomes(), intake.log.length];
    await foresee({ requests: [item(31), 'bad'] });
    expectProblem(await intake.post('/v1/batches?dryRun=true', { requests: ['bad'] }), 'no_acceptable_item');
    assert.deepEqual(await outcomes(), before);
    const since = intake.log.slice(lines).map((line) => line['msg']);
    assert.equal(since.includes('batch accepted'), false);
  });

  it('refuses what a real one would refuse', async () => {
    expectProblem(await intake.post('/v1/batches?dryRun=true', { requests: [{}] }), 'no_acceptable_item');
  });

  it('takes dryRun=false for a real one', async () => {
    await intake.post('/v1/batches?dryRun=false', { requests: [item(41)] }).expect(202);
  });

  it('tells no times while a hold has no end', async () => {
    await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
    const { items, expectedCompletionAt } = await foresee({ requests: [item(51)] });
    assert.ok(items[0] && 'position' in items[0] && !('expectedStartAt' in items[0]));
    assert.equal(expectedCompletionAt, null);
  });
});

/** The same time, but for what passed between the two questions. */
function assertClose(told: unknown, later: unknown): void {
  const difference = Date.parse(String(later)) - Date.parse(String(told));
  assert.ok(Math.abs(difference) < 5_000, `${String(told)} and ${String(later)}`);
}
