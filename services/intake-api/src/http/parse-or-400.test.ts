import assert from 'node:assert/strict';
import { describeFaults } from './parse-or-400.ts';

describe('faults in words', () => {
  it('are one sentence that names each field and what is wrong with it', () => {
    const faults = [
      { path: 'comment', message: 'is required' },
      { path: '', message: 'Invalid input: expected object, received null' },
    ];
    assert.equal(
      describeFaults(faults, 'the item'),
      'comment is required; the item: Invalid input: expected object, received null.',
    );
  });

  it('tell three and how many there are besides', () => {
    const faults = ['a', 'b', 'c', 'd', 'e'].map((path) => ({ path, message: 'is required' }));
    assert.equal(
      describeFaults(faults, 'the item'),
      'a is required; b is required; c is required; and 2 more.',
    );
  });
});
