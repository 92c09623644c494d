import assert from 'node:assert/strict';
import { z } from 'zod';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall, endCall, makeCall } from '../test-support/worker-moves.ts';

const count = z.int().nonnegative();
const batchDocument = z.strictObject({
  id: z.string(),
  createdAt: z.iso.datetime(),
  completedAt: z.iso.datetime().optional(),
  status: z.enum(['running', 'completed']),
  counts: z.strictObject({
    total: count,
    queued: count,
    dispatching: count,
    started: count,
    failed: count,
    cancelled: count,
    expired: count,
    unknown: count,
    rejected: count,
  }),
  results: z.strictObject({
    running: count,
    succeeded: count,
    failed: count,
    cancelled: count,
    unknown: count,
  }),
  expectedCompletionAt: z.iso.datetime().nullable(),
});

describe('GET /v1/batches/{id} for a known id', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '3' });

  async function submit(requests: unknown[]): Promise<string> {
    return ((await intake.post('/v1/batches', { requests }).expect(202)).body as { id: string }).id;
  }

  async function get(id: string) {
    return batchDocument.parse((await intake.get(`/v1/batches/${id}`).expect(200)).body);
  }

  it('counts its requests by status until all have come to an end', async () => {
    const id = await submit([item(1), item(2), 'bad', item(2)]);
    const none = { dispatching: 0, started: 0, failed: 0, cancelled: 0, expired: 0, unknown: 0 };
    const running = await get(id);
    assert.equal(running.id, id);
    assert.equal(running.status, 'running');
    assert.deepEqual(running.counts, { ...none, total: 4, queued: 3, rejected: 1 });

    await makeCall(intake, machineId(2), {
      status: 'started',
      result: { kind: 'investigation', id: '1' },
      attempts: 1,
    });
    const call = await beginCall(intake, machineId(1));
    const last = await get(id);
    assert.equal(last.status, 'running');
    assert.deepEqual(last.counts, { ...none, total: 4, queued: 0, dispatching: 1, started: 2, rejected: 1 });

    await endCall(intake, call, { status: 'failed', attempts: 1 });
    const completed = await get(id);
    assert.deepEqual(completed.counts, { ...none, total: 4, queued: 0, started: 2, failed: 1, rejected: 1 });
    assert.equal(completed.status, 'completed');
    assert.equal(completed.expectedCompletionAt, null);
  });

  // One slot of three is free by now.
  it('expects completion when the last place in the order is reached', async () => {
    const id = await submit([item(11), item(12), item(13), item(14)]);
    const { slotsInUse, limits, nowMs } = await intake.ledger.snapshot();
    const [{ windowMs }] = limits;
    const { expectedCompletionAt } = await get(id);
    // Now, the two slots in use as they come back, then the first slot once more.
    assert.equal(slotsInUse.length, 2);
    const difference = Date.parse(expectedCompletionAt ?? '') - (nowMs + windowMs);
    assert.ok(difference >= 0 && difference < 5_000, String(difference));
  });

  it('expects completion with its own last call, whatever waits behind it', async () => {
    const urgent = await submit([item(31, { priority: 'critical' }), item(32, { priority: 'critical' })]);
    const whole = await submit(Array.from({ length: 30 }, (_, n) => item(40 + n, { priority: 'low' })));
    const requests = (await intake.get(`/v1/batches/${urgent}/items`)).body as { value: { id: string }[] };
    const starts = await Promise.all(
      requests.value.map(async ({ id }) => {
        const { expectedStartAt } = (await intake.get(`/v1/investigations/${id}`)).body as Record<
          string,
          string
        >;
        return Date.parse(expectedStartAt ?? '');
      }),
    );
    const [urgentAt, wholeAt] = [await get(urgent), await get(whole)].map(({ expectedCompletionAt }) =>
      Date.parse(expectedCompletionAt ?? ''),
    );
    assert.ok(urgentAt !== undefined && wholeAt !== undefined);
    assert.ok(Math.abs(urgentAt - Math.max(...starts)) < 5_000);
    assert.ok(wholeAt - urgentAt > 9 * 3_600_000);
  });

  it('waits for nothing in the order once all of its requests are under way', async () => {
    const id = await submit([item(21)]);
    await beginCall(intake, machineId(21));
    const { nowMs } = await intake.ledger.snapshot();
    const atMs = Date.parse((await get(id)).expectedCompletionAt ?? '');
    assert.ok(atMs - nowMs < 5_000);
  });
});

describe('GET /v1/batches/{id}, asked again and again', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '1' });
  const submit = async (requests: unknown[]) =>
    ((await intake.post('/v1/batches', { requests }).expect(202)).body as { id: string }).id;

  it('says when to ask again until it is complete: by the estimate, from 5 seconds to 10 minutes', async () => {
    const retryAfterOf = async (id: string) =>
      (await intake.get(`/v1/batches/${id}`).expect(200)).headers['retry-after'];
    const id = await submit([item(91, { priority: 'critical' })]);
    assert.equal(await retryAfterOf(await submit([item(92, { priority: 'low' })])), '600');
    const call = await beginCall(intake, machineId(91));
    assert.equal(await retryAfterOf(id), '5');
    await endCall(intake, call, {
      status: 'started',
      result: { kind: 'investigation', id: '9' },
      attempts: 1,
    });
    assert.equal(await retryAfterOf(id), undefined);
  });
});
