import assert from 'node:assert/strict';
import { keySpace } from '@diq/contracts/operations.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { ledgerKeys } from '@diq/quota/ledger/ledger-keys.ts';
import { closeRedis, openBlockingConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { replayQueue } from '../test-support/replay-queue.ts';

const tenantId = '6c1e9a52-3f0f-4b6e-9c55-0d8a7f2b9e11';
const [limit, windowMs] = [10, 1_600];
const slotMs = windowMs / limit;

/** The estimate for a machine's call, and when it was given. */
interface Estimated {
  machineId?: string | undefined;
  expectedStartAt?: string | undefined;
}

describe('expectedStartAt, held against what happens when nothing changes', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis, {
    AZURE_TENANT_ID: tenantId,
    DEFENDER_CALLS_PER_WINDOW: String(limit),
    DEFENDER_WINDOW: `${windowMs}`,
    DEFENDER_CALL_TIMEOUT: '200',
  });
  const space = keySpace({ tenantId, operation: 'initiateInvestigation' });
  let connection: ReturnType<typeof openBlockingConnection>;

  before(async () => {
    connection = openBlockingConnection({
      address: parseRedisUrl(redis.url),
      name: 'replay',
      logger: { info() {}, warn() {} },
    });
    await waitUntilReady(connection, 5_000);
  });
  after(() => closeRedis(connection));

  /** Calls of the last window, one per slot, so that a slot opens at regular times from now on. */
  async function useAllSlots(): Promise<number> {
    const { nowMs } = await intake.ledger.snapshot();
    // Time enough for all estimates before, also where other tests use the same processors.
    const firstOpeningMs = nowMs + 7_500;
    for (let i = 0; i < limit; i += 1) {
      await connection.zadd(ledgerKeys(space).calls, firstOpeningMs - windowMs + i * slotMs, `before-${i}`);
    }
    return firstOpeningMs;
  }

  const get = async (id: string) => (await intake.get(`/v1/investigations/${id}`)).body as RequestDocument;

  async function submitMix(count: number) {
    const requests = Array.from({ length: count }, (_, i) =>
      item(1 + ((i * 7) % (count - 4)), {
        priority: priorities[(i * 5) % priorities.length],
        source: ['xsoar', 'sentinel', 'splunk'][(i * i) % 3],
      }),
    );
    const foreseen = await intake.post('/v1/batches?dryRun=true', { requests }).expect(200);
    const accepted = await intake.post('/v1/batches', { requests }).expect(202);
    const { id, items } = accepted.body as { id: string; items: { id: string }[] };
    return {
      id,
      ids: items.map((answer) => answer.id),
      foreseen: (foreseen.body as { items: Estimated[] }).items,
    };
  }

  it('is within one slot in a dry run, at acceptance, while waiting, and for a batch as a whole', async () => {
    const firstOpeningMs = await useAllSlots();
    const mix = await submitMix(24);
    const batch = (await intake.get(`/v1/batches/${mix.id}`)).body as { expectedCompletionAt: string };
    const estimates: Estimated[] = [...mix.foreseen, ...(await Promise.all(mix.ids.map(get)))];
    // Each goes behind all that was accepted before, so the earlier estimates stay true.
    const singles: string[] = [];
    for (let n = 101; n <= 106; n += 1) {
      const response = await intake.post('/v1/investigations', item(n, { priority: 'low', source: 'xsoar' }));
      estimates.push(response.body as Estimated);
      singles.push((response.body as { id: string }).id);
    }

    const { nowMs } = await intake.ledger.snapshot();
    assert.ok(nowMs < firstOpeningMs, 'everything was accepted and estimated before the first slot opened');

    const [halfway, atHalfway] = signal();
    const replay = replayQueue(intake, {
      redis: connection,
      keySpace: space,
      windowMs,
      onStart: (count) => count === 8 && atHalfway(),
    });
    await halfway;
    const laterIds = [...mix.ids, ...singles];
    const later = (await Promise.all(laterIds.map(get))).filter(({ status }) => status === 'queued');
    const calls = await replay;
    const callOf = ({ machineId: machine = '', expectedStartAt }: Estimated) => {
      const call = calls.get(machine);
      assert.ok(call && expectedStartAt !== undefined, machine);
      return { ...call, estimatedMs: Date.parse(expectedStartAt) };
    };

    assert.ok(later.length > 10 && later.length < laterIds.length, 'asked while some had started');
    for (const { startMs, lateMs, estimatedMs } of estimates.map(callOf))
      assertClose(startMs - lateMs, estimatedMs);
    // Later estimates knew of some of the lateness.
    for (const { startMs, lateMs, estimatedMs } of later.map(callOf))
      assertClose(Math.min(Math.max(estimatedMs, startMs - lateMs), startMs), estimatedMs);
    const ofBatch = Array.from({ length: 20 }, (_, i) => calls.get(machineId(1 + i)));
    const last = Math.max(...ofBatch.map((call) => (call ? call.startMs - call.lateMs : 0)));
    assertClose(last, Date.parse(batch.expectedCompletionAt));
    assert.ok(
      new Set(estimates.map(({ expectedStartAt }) => expectedStartAt)).size > 10,
      'they start one by one',
    );
  });
});

function assertClose(cameMs: number, estimatedMs: number): void {
  const errorMs = Math.abs(cameMs - estimatedMs);
  assert.ok(errorMs <= slotMs, `wrong by ${errorMs} ms, a slot is ${slotMs} ms`);
}

function signal(): [Promise<void>, () => void] {
  let send = () => {};
  const sent = new Promise<void>((resolve) => (send = resolve));
  return [sent, () => send()];
}
