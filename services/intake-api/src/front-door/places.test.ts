import assert from 'node:assert/strict';
import { createPlaces, type Places } from './places.ts';

describe('the places of requests that are passed on', () => {
  /** As many as there are for so many callers of a tenant. */
  function takeAll(places: Places, tenantId: string, callers = 50): (() => void)[] {
    return Array.from({ length: 100 }, (_, i) => places.take(`app-${i % callers}`, tenantId) ?? []).flat();
  }

  it('are twenty for a caller, in each of its tenants', () => {
    const places = createPlaces();
    assert.deepEqual([takeAll(places, 'a', 1).length, takeAll(places, 'b', 1).length], [20, 20]);
  });

  it('are left for other tenants, however many callers one has', () => {
    const places = createPlaces();
    const counts = ['a', 'b', 'c', 'd', 'e'].map((tenant) => takeAll(places, tenant).length);
    assert.deepEqual(counts, [50, 25, 13, 6, 3]);
    // Who has more than its share gets no more until it has less than is free.
    assert.equal(takeAll(places, 'a').length, 0);
  });

  it('come back', () => {
    const places = createPlaces();
    for (let i = 0; i < 3; i += 1) {
      const taken = takeAll(places, 'a');
      assert.equal(taken.length, 50);
      for (const giveBack of taken) giveBack();
    }
  });
});
