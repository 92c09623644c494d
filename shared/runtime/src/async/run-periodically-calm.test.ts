import assert from 'node:assert/strict';
import { afterCalm } from './run-periodically.ts';

describe('after calm', () => {
  let nowMs = 0;
  let done = 0;
  let isFailing = false;
  const act = async () => {
    done += 1;
    if (isFailing) throw new Error('away');
  };

  it('waits for calm at first and after each failure, and goes on while all is well', async () => {
    const calm = afterCalm(100, act, () => nowMs);
    await calm();
    nowMs = 99;
    await calm();
    assert.equal(done, 0, 'it has only just begun');
    nowMs = 100;
    await calm();
    await calm();
    assert.equal(done, 2);

    isFailing = true;
    await assert.rejects(calm(), /away/);
    isFailing = false;
    await calm();
    nowMs = 199;
    await calm();
    assert.equal(done, 3, 'too soon after the failure');
    nowMs = 200;
    await calm();
    assert.equal(done, 4);
  });
});
