import assert from 'node:assert/strict';
import { createAttemptSlots, type ReleaseSlot, type TakeSlot } from './attempt-slots.ts';

describe('slots for attempts', () => {
  let takeSlot: TakeSlot;
  beforeEach(() => {
    takeSlot = createAttemptSlots({ maxPerHost: 3, maxAtSilent: 2, maxPerCaller: 9 });
  });
  const take = (host: string): ReleaseSlot => {
    const release = takeSlot(host);
    assert.ok(release, `a slot for ${host}`);
    return release;
  };
  const isFull = (host: string) => assert.equal(takeSlot(host), undefined);

  it('are as many as a host may have, and one that is given back is there again', () => {
    const [first] = [take('a'), take('a'), take('a')];
    isFull('a');
    take('b');
    first?.(undefined);
    take('a');
    isFull('a');
  });

  it('are one for a host that did not answer, until it does', () => {
    take('a')(false);
    const only = take('a');
    isFull('a');
    only(undefined);
    const again = take('a');
    isFull('a');
    again(true);
    take('a');
    take('a');
  });

  it('are few for all hosts that did not answer, and no fewer for others', () => {
    for (const host of ['a', 'b', 'c']) take(host)(false);
    const a = take('a');
    take('b');
    isFull('c');
    for (let n = 0; n < 3; n += 1) take('well');
    a(false);
    take('c');
  });

  it('are so many for a caller, at whatever hosts, and no fewer for others', () => {
    takeSlot = createAttemptSlots({ maxPerHost: 3, maxAtSilent: 2, maxPerCaller: 4 });
    const [first] = ['a', 'b', 'c', 'd'].map((host) => takeSlot(host, 'one'));
    assert.equal(takeSlot('e', 'one'), undefined);
    assert.ok(takeSlot('e', 'other'));
    first?.(true);
    assert.ok(takeSlot('e', 'one'));
  });

  it('are remembered of a thousand silent hosts: callers choose names without end', () => {
    for (let n = 0; n < 1_000; n += 1) take(`silent-${n}`)(false);
    take('one-more')(false);
    take('one-more');
    take('one-more');
    take('silent-999');
    isFull('silent-999');
  });
});
