import assert from 'node:assert/strict';
import { dispatchPayload, dispatchPayloadVersion } from './dispatch-payload.ts';

const payload = { v: dispatchPayloadVersion };

describe('dispatchPayload', () => {
  it('reads what this version writes', () => {
    assert.deepEqual(dispatchPayload.parse(payload), payload);
  });

  it('refuses another version instead of misreading it', () => {
    assert.equal(dispatchPayload.safeParse({ ...payload, v: dispatchPayloadVersion + 1 }).success, false);
  });

  it('carries nothing of the request', () => {
    assert.equal(dispatchPayload.safeParse({ ...payload, comment: 'x' }).success, false);
  });
});
