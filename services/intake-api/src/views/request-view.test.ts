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

const describeRequest = createDescribeRequest(ledgerSnapshot);

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
