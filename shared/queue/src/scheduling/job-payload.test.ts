import assert from 'node:assert/strict';
import { jobPayload, jobPayloadVersion } from './job-queue.ts';

const payload = { v: jobPayloadVersion };

describe('jobPayload', () => {
  it('reads what this version writes', () => {
    assert.deepEqual(jobPayload.parse(payload), payload);
  });

  it('refuses another version instead of misreading it', () => {
    assert.equal(jobPayload.safeParse({ ...payload, v: jobPayloadVersion + 1 }).success, false);
  });

  it('carries nothing of the request', () => {
    assert.equal(jobPayload.safeParse({ ...payload, comment: 'x' }).success, false);
  });
});
