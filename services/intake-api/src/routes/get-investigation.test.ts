import assert from 'node:assert/strict';
import { requestDocument, type RequestDocument } from '@diq/contracts/request-document.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import type { BatchDocument } from '@diq/contracts/batch-document.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId } from '../test-support/items.ts';
import { beginCall, endCall, makeCall, taskFor } from '../test-support/worker-moves.ts';

describe('GET /v1/investigations/{id} for a known id', () => {
  const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '2', DEFENDER_WINDOW: '1h' });

  async function submit(number: number, more: object = {}): Promise<string> {
    return ((await intake.post('/v1/investigations', item(number, more)).expect(202)).body as { id: string })
      .id;
  }

  async function get(id: string): Promise<RequestDocument> {
    return requestDocument.parse((await intake.get(`/v1/investigations/${id}`).expect(200)).body);
  }

  it('tells a request from the queue to its end', async () => {
    const id = await submit(1);
    assert.equal((await get(id)).status, 'queued');

    const call = await beginCall(intake, machineId(1));
    const dispatching = await get(id);
    assert.equal(dispatching.status, 'dispatching');
    assert.ok(dispatching.dispatchedAt);

    await endCall(intake, call, {
      status: 'started',
      result: { kind: 'investigation', id: '5146' },
      attempts: 1,
    });
    const { status, investigationId, attempts, position, expectedStartAt } = await get(id);
    assert.deepEqual(
      { status, investigationId, attempts, position, expectedStartAt },
      {
        status: 'started',
        investigationId: '5146',
        attempts: 1,
        position: undefined,
        expectedStartAt: undefined,
      },
    );
  });

  it('tells why a request failed', async () => {
    const id = await submit(2);
    const error = {
      code: 'machine_not_found',
      message: 'Defender knows no such machine',
      defenderTarget: '|a.b.',
    };
    await makeCall(intake, machineId(2), { status: 'failed', error, attempts: 1 });
    assert.deepEqual((await get(id)).error, error);
  });

  // Both slots are in use by now.
  it('tells the place in the order and when the call is expected, more urgent requests first', async () => {
    const [low, high, third] = [
      await submit(11, { priority: 'low' }),
      await submit(12, { priority: 'high' }),
      await submit(13),
    ];
    const documents = await Promise.all([high, third, low].map(get));
    assert.deepEqual(
      documents.map(({ position }) => position),
      [1, 2, 3],
    );
    const { slotsInUse, limits } = await intake.ledger.snapshot();
    const [{ windowMs }] = limits;
    const [first, second] = slotsInUse.map(({ freeAtMs }) => freeAtMs);
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual(
      documents.map(({ expectedStartAt }) => Date.parse(expectedStartAt ?? '')),
      [first, second, first + windowMs],
    );
  });

  it('tells the end of a hold where that comes later than the slot', async () => {
    const id = await submit(12);
    const { untilMs } = await intake.ledger.hold('throttled', 3 * 3_600_000);
    assert.equal(Date.parse((await get(id)).expectedStartAt ?? ''), untilMs);
  });

  it('tells all requests of one task the same outcome', async () => {
    const [first, joined] = [await submit(13), await submit(13)];
    const taskId = await taskFor(intake, machineId(13));
    await intake.tasks.endWaiting(taskId, { status: 'expired', attempts: 0 });
    assert.deepEqual([(await get(first)).status, (await get(joined)).status], ['expired', 'expired']);
  });

  it('tells the place but no time while a hold has no end', async () => {
    const id = await submit(12);
    await intake.ledger.hold('paused', Number.MAX_SAFE_INTEGER / 2);
    const { position, expectedStartAt } = await get(id);
    assert.deepEqual([position, expectedStartAt], [1, undefined]);
  });
});

describe('GET /v1/investigations/{id} while slots are kept for critical requests', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    DEFENDER_CALLS_PER_WINDOW: '2',
    DEFENDER_WINDOW: '1h',
    QUOTA_RESERVE_CRITICAL: '1',
  });

  it('expects the others where they may start, and critical ones in any slot', async () => {
    const submit = async (number: number, priority: string) =>
      requestDocument.parse(
        (await intake.post('/v1/investigations', item(number, { priority })).expect(202)).body,
      );
    const inHours = ({ expectedStartAt }: RequestDocument) =>
      Math.abs(Math.round((Date.parse(expectedStartAt ?? '') - Date.now()) / 3_600_000));
    const others = [await submit(1, 'medium'), await submit(2, 'medium'), await submit(3, 'medium')];
    assert.deepEqual(others.map(inHours), [0, 1, 2]);
    assert.deepEqual([await submit(4, 'critical'), await submit(5, 'critical')].map(inHours), [0, 0]);
  });

  it('asks to come back by the estimate', async () => {
    const { id } = (await intake.post('/v1/investigations', item(9, { priority: 'low' })).expect(202))
      .body as {
      id: string;
    };
    const response = await intake.get(`/v1/investigations/${id}`).expect(200);
    assert.equal(response.headers['retry-after'], '600');
  });
});

describe('GET /v1/investigations/{id} and its batch while it is unknown how long a hold lasts', () => {
  const intake = useIntake(useEmbeddedRedis());

  it('tell no time but the one before which nothing starts', async () => {
    const posted = await intake.post('/v1/batches', { requests: [item(1), item(2)] }).expect(202);
    const { id: batchId, items } = posted.body as { id: string; items: { id: string }[] };
    const length = { firstMs: 600_000, longestMs: 600_000 };
    const { untilMs } = await intake.ledger.holdGrowing('not_allowed', length);
    const startNotBefore = new Date(untilMs).toISOString();

    const request = (await intake.get(`/v1/investigations/${items[1]?.id}`).expect(200))
      .body as RequestDocument;
    assert.deepEqual(
      [request.position, request.expectedStartAt, request.startNotBefore],
      [2, undefined, startNotBefore],
    );
    const batch = (await intake.get(`/v1/batches/${batchId}`).expect(200)).body as BatchDocument;
    assert.deepEqual([batch.expectedCompletionAt, batch.startNotBefore], [null, startNotBefore]);
  });
});
