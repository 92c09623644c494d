import assert from 'node:assert/strict';
import { isoOfTicks, ticksOf } from './investigations.ts';

describe('.NET ticks', () => {
  it('read the creation time out of a recorded alert id', () => {
    assert.equal(isoOfTicks(637205548921456173n), '2020-03-23T10:08:12.1456173Z');
  });

  it('are made of a wall-clock time and what lies below the millisecond', () => {
    assert.equal(ticksOf(Date.parse('2020-03-23T10:08:12.145Z'), 6173), 637205548921456173n);
  });

  it('show no decimals that are zero', () => {
    assert.equal(isoOfTicks(ticksOf(Date.parse('2023-04-25T22:58:00.550Z'))), '2023-04-25T22:58:00.55Z');
    assert.equal(isoOfTicks(ticksOf(Date.parse('2023-04-25T22:58:00Z'))), '2023-04-25T22:58:00Z');
  });
});
