import assert from 'node:assert/strict';
import { waitFor } from './wait-for.ts';

describe('waitFor', () => {
  it('returns the first truthy value', async () => {
    let looks = 0;
    assert.equal(
      await waitFor(() => ++looks === 3 && 'there', { what: 'the third look', intervalMs: 1 }),
      'there',
    );
    assert.equal(looks, 3);
  });

  it('looks again after a probe that throws', async () => {
    let looks = 0;
    const probe = async () => {
      looks += 1;
      if (looks === 1) throw new Error('not yet');
      return looks;
    };
    assert.equal(await waitFor(probe, { what: 'the second look', intervalMs: 1 }), 2);
  });

  it('says what it waited for and what it saw last', async () => {
    const brief = { what: 'the job', timeoutMs: 10, intervalMs: 1 };
    await assert.rejects(
      waitFor(() => null, brief),
      { message: 'waited 10 ms in vain for the job; the last look gave null' },
    );
    await assert.rejects(
      waitFor(() => Promise.reject(new Error('refused')), brief),
      { message: 'waited 10 ms in vain for the job; the last look failed: refused' },
    );
  });
});
