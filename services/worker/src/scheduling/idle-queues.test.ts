import assert from 'node:assert/strict';
import { createIdleQueues } from './idle-queues.ts';

describe('the open queues with nothing to do', () => {
  it('stay open up to a number, and those that came last stay', () => {
    const letGo: string[] = [];
    const idle = createIdleQueues(2);
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => ({ letGo: () => void letGo.push(name) }));
    assert.ok(a && b && c && d);
    for (const queue of [a, b, a, c]) idle.add(queue);
    assert.deepEqual(letGo, ['b']);
    idle.remove(c);
    idle.add(d);
    assert.deepEqual(letGo, ['b']);
    idle.add(c);
    assert.deepEqual(letGo, ['b', 'a']);
  });
});
