import assert from 'node:assert/strict';
import type { StoredRequest } from '@diq/queue/stored-request.ts';
import { createDescribeRequest } from './describe-request.ts';

const nowMs = Date.UTC(2026, 10, 30, 8);
const lookAtLedger = async () => ({
  nowMs,
  limit: 5,
  quotaLimit: 5,
  windowMs: 3_600_000,
  slotsInUse: [],
  hold: undefined,
  holdsOn: [],
  isLost: false,
});

const stored: StoredRequest = {
  dispatchId: 'd',
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

describe('a queued request whose ticket is not in the order', () => {
  it('is next when a worker has drawn the ticket', async () => {
    const { document, startsInMs } = await describeWith(true);
    assert.deepEqual(
      [document.position, document.expectedStartAt, startsInMs],
      [1, '2026-11-30T08:00:00.000Z', 0],
    );
  });

  it('has no place and no expected time when the ticket is missing', async () => {
    assert.deepEqual(await describeWith(false), { document: stored.document, startsInMs: undefined });
  });
});

describe('the expected time of a request that is next', () => {
  it('is not before it arrived, should the clock of its intake be ahead of that of Redis', async () => {
    const createdAt = new Date(nowMs + 700).toISOString();
    const early = { ...stored, document: { ...stored.document, createdAt } };
    const tickets = { positions: async () => [1], have: async () => [true] };
    const { document, startsInMs } = await createDescribeRequest({ tickets, lookAtLedger })(early);
    assert.deepEqual([document.expectedStartAt, startsInMs], [createdAt, 700]);
  });
});

function describeWith(isDrawn: boolean) {
  const tickets = { positions: async () => [undefined], have: async () => [isDrawn] };
  return createDescribeRequest({ tickets, lookAtLedger })(stored);
}
