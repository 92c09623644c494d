import assert from 'node:assert/strict';
import type { StoredRequest } from '@diq/queue/requests/stored-request.ts';
import { oneLimit } from '@diq/quota/test-support/one-limit.ts';
import { createDescribeRequest } from './request-view.ts';

const nowMs = Date.UTC(2026, 10, 30, 8);
const ledgerSnapshot = async () => ({
  nowMs,
  limits: oneLimit(5, 3_600_000),
  slotsInUse: [],
  hold: undefined,
  holdsOn: [],
  isLost: false,
});

const stored: StoredRequest = {
  taskId: 'd',
  document: {
    id: 'r',
    machineId: 'a'.repeat(40),
    comment: 'x',
    priority: 'medium',
    status: 'queued',
    createdAt: new Date(nowMs).toISOString(),
    attempts: 0,
  },
};

const describeRequest = createDescribeRequest(ledgerSnapshot, async () => [undefined]);

describe('a queued request without a place', () => {
  it('has no expected time either', async () => {
    const { document } = stored;
    assert.deepEqual(await describeRequest({ document, position: undefined }), {
      document,
      startsInMs: undefined,
    });
  });
});

describe('the expected time of a request that is next', () => {
  it('is not before it arrived, should the clock of its intake be ahead of that of Redis', async () => {
    const createdAt = new Date(nowMs + 700).toISOString();
    const early = { document: { ...stored.document, createdAt }, position: 1 };
    const { document, startsInMs } = await describeRequest(early);
    assert.deepEqual([document.expectedStartAt, startsInMs], [createdAt, 700]);
  });
});

describe('a queued request whose task is put aside', () => {
  const { document } = stored;
  const offlineSinceMs = nowMs - 60_000;

  it('says why, and has no expected time, but the earliest one', async () => {
    const aside = { reason: 'machine_offline', sinceMs: offlineSinceMs } as const;
    const { document: shown } = await describeRequest({ document, position: undefined, aside });
    const { blockedBy, expectedStartAt, startNotBefore, position } = shown;
    assert.deepEqual([expectedStartAt, position], [undefined, undefined]);
    assert.equal(startNotBefore, new Date(nowMs).toISOString());
    assert.deepEqual(
      [blockedBy?.reason, blockedBy?.since, blockedBy?.calledAnywayAt],
      [
        'machine_offline',
        new Date(offlineSinceMs).toISOString(),
        new Date(offlineSinceMs + 86_400_000).toISOString(),
      ],
    );
  });

  it('names what goes first on its machine', async () => {
    const acceptedAtMs = nowMs - 5_000;
    const first = { machineId: 'm', operation: 'isolate', key: 'm', place: `${acceptedAtMs}000` };
    const describeBusy = createDescribeRequest(ledgerSnapshot, async ([machineId]) => {
      assert.equal(machineId, document.machineId);
      return [first];
    });
    const aside = { reason: 'machine_busy', sinceMs: undefined } as const;
    const { document: shown } = await describeBusy({ document, position: undefined, aside });
    const behind = { operation: 'isolate', acceptedAt: new Date(acceptedAtMs).toISOString() };
    assert.deepEqual([shown.blockedBy?.reason, shown.blockedBy?.behind], ['machine_busy', behind]);
    assert.equal(shown.expectedStartAt, undefined);
  });
});

describe('a queued request while Defender runs as many as it runs at once', () => {
  it('keeps its place, says so, and has no expected time, but the earliest one', async () => {
    const full = async () => ({ ...(await ledgerSnapshot()), running: { now: 26, most: 25 } });
    const { document, startsInMs } = await createDescribeRequest(full, async () => [])({
      document: stored.document,
      position: 2,
    });
    const { blockedBy, expectedStartAt, startNotBefore, position } = document;
    assert.deepEqual([position, expectedStartAt, startsInMs], [2, undefined, 0]);
    assert.equal(startNotBefore, new Date(nowMs).toISOString());
    assert.deepEqual([blockedBy?.reason, blockedBy?.running, blockedBy?.limit], ['concurrency', 26, 25]);
  });
});
