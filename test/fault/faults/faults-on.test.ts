import assert from 'node:assert/strict';
import { redisKinds } from '../redis/fault-redis.ts';
import { allFaults } from './all-faults.ts';
import { faultsOn, leftOut } from './faults-on.ts';

describe('faults by kind of Redis', () => {
  const names = allFaults.map(({ name }) => name);

  it('leaves out none that does not exist', () => {
    assert.deepEqual(
      Object.keys(leftOut).filter((name) => !names.includes(name)),
      [],
    );
  });

  it('makes each on one kind at least', () => {
    const made = new Set(redisKinds.flatMap(faultsOn));
    assert.deepEqual(
      allFaults.filter((fault) => !made.has(fault)).map(({ name }) => name),
      [],
    );
  });

  it('makes those of processes, Defender and Entra ID on every kind', () => {
    for (const kind of redisKinds) {
      const missing = allFaults.filter(
        (fault) => !fault.breaks.includes('redis') && !faultsOn(kind).includes(fault),
      );
      assert.deepEqual(missing, [], kind);
    }
  });

  it('loses a primary wherever there is a replica, and moves a slot in a Redis Cluster', () => {
    const on = (kind: (typeof redisKinds)[number]) => faultsOn(kind).map(({ name }) => name);
    assert.ok(on('sentinel').includes('primary-killed'));
    assert.ok(on('cluster').includes('primary-killed'));
    assert.ok(on('cluster').includes('slot-moved'));
    assert.ok(!on('single').includes('primary-killed') && on('single').includes('redis-killed'));
  });
});
