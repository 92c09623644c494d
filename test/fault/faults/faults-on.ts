import { allFaults } from './all-faults.ts';
import type { Fault } from './fault.ts';
import type { RedisKind } from '../redis/fault-redis.ts';

const needsReplica = { single: 'there is no replica' };
const needsCluster = { single: 'there is one server', sentinel: 'one server holds everything' };
const both = (reason: string) => ({ sentinel: reason, cluster: reason });
const pastTheProxy = 'sentinels and nodes name the servers themselves, so nothing of ours stands in between';

/** Faults that are not made on every kind of Redis, and why; all others are made on each. */
export const leftOut: Readonly<Record<string, Readonly<Partial<Record<RedisKind, string>>>>> = {
  'redis-killed': both('a server that ends is a primary (primary-killed) or a replica (replica-killed)'),
  'redis-frozen': both('a primary that stands still is failed over: primary-hung'),
  'redis-stalled': both(pastTheProxy),
  'redis-unreachable': both(pastTheProxy),
  // And without it no request may be missing in the whole run.
  'redis-emptied': both('replicas erase what their primary erases, so it is the same as on one node'),
  'replica-promoted': both('it lacks what was acknowledged without it; here nothing is: replica-behind'),
  'primary-killed': needsReplica,
  'primary-hung': needsReplica,
  'replica-killed': needsReplica,
  'replica-behind': needsReplica,
  'slot-moved': needsCluster,
  'other-primary-killed': needsCluster,
};

/** The faults that a run on this kind of Redis makes. */
export function faultsOn(kind: RedisKind): Fault[] {
  return allFaults.filter(({ name }) => leftOut[name]?.[kind] === undefined);
}
