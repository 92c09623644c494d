import assert from 'node:assert/strict';
import { inTurn } from './page-turns.ts';

describe('pages that are asked for at once', () => {
  const here = { destroyed: false };

  it('are made one after the other for each caller, whatever becomes of the one before, and at once for different callers', async () => {
    const begun: string[] = [];
    const ends = new Map<string, { good: () => void; bad: (error: Error) => void }>();
    const ask = (caller: string, page: string, response = here) =>
      inTurn(
        caller,
        response,
        () =>
          new Promise((resolve, reject) => {
            begun.push(page);
            ends.set(page, { good: resolve, bad: reject });
          }),
      );
    const gone = { destroyed: false };
    const [first, second, left, last] = [
      ask('one', 'first'),
      ask('one', 'second'),
      ask('one', 'left', gone),
      ask('one', 'last'),
    ];
    const other = ask('other', 'of another');
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another']);
    ends.get('first')?.bad(new Error('away'));
    await assert.rejects(first, /away/);
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another', 'second']);
    gone.destroyed = true;
    ends.get('second')?.good();
    await Promise.all([second, left]);
    await new Promise(setImmediate);
    assert.deepEqual(begun, ['first', 'of another', 'second', 'last']);
    for (const page of ['last', 'of another']) ends.get(page)?.good();
    await Promise.all([last, other]);
  });
});
