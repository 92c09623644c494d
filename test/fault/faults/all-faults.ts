import { defenderFails } from './defender-fails.ts';
import { defenderGarbles } from './defender-garbles.ts';
import { defenderHangs } from './defender-hangs.ts';
import { defenderOddRows } from './defender-odd-rows.ts';
import { defenderResets } from './defender-resets.ts';
import { defenderSlow } from './defender-slow.ts';
import { defenderThrottles } from './defender-throttles.ts';
import { endpointUnusable } from './endpoint-unusable.ts';
import { intakeKilled } from './intake-killed.ts';
import { intakeStopped } from './intake-stopped.ts';
import { ledgerErased } from './ledger-erased.ts';
import { otherPrimaryKilled } from './other-primary-killed.ts';
import { pipelinedFlood } from './pipelined-flood.ts';
import { primaryHung } from './primary-hung.ts';
import { primaryKilled } from './primary-killed.ts';
import { redisConnectionsReset } from './redis-connections-reset.ts';
import { redisEmptied } from './redis-emptied.ts';
import { redisFrozen } from './redis-frozen.ts';
import { redisFull } from './redis-full.ts';
import { redisKilled } from './redis-killed.ts';
import { redisScriptsFlushed } from './redis-scripts-flushed.ts';
import { redisStalled } from './redis-stalled.ts';
import { redisUnreachable } from './redis-unreachable.ts';
import { replicaBehind } from './replica-behind.ts';
import { replicaKilled } from './replica-killed.ts';
import { replicaPromoted } from './replica-promoted.ts';
import { slotMoved } from './slot-moved.ts';
import { jobHeldTwice } from './job-held-twice.ts';
import { tokenEndpointDown } from './token-endpoint-down.ts';
import { tokenUnsendable } from './token-unsendable.ts';
import { tokensRevoked } from './tokens-revoked.ts';
import { workerClockAhead } from './worker-clock-ahead.ts';
import { workerClockBehind } from './worker-clock-behind.ts';
import { workerFrozen } from './worker-frozen.ts';
import { workerKilled } from './worker-killed.ts';
import { workerPaused } from './worker-paused.ts';
import { workerStopped } from './worker-stopped.ts';
import type { Fault } from './fault.ts';

/** Every fault of the harness; each has a heading in docs/failure-modes.md. */
export const allFaults: readonly Fault[] = [
  defenderFails,
  defenderGarbles,
  defenderHangs,
  defenderOddRows,
  defenderResets,
  defenderSlow,
  defenderThrottles,
  endpointUnusable,
  intakeKilled,
  intakeStopped,
  ledgerErased,
  pipelinedFlood,
  redisConnectionsReset,
  redisEmptied,
  redisFrozen,
  redisFull,
  redisKilled,
  redisScriptsFlushed,
  redisStalled,
  redisUnreachable,
  replicaPromoted,
  jobHeldTwice,
  tokenEndpointDown,
  tokenUnsendable,
  tokensRevoked,
  workerClockAhead,
  workerClockBehind,
  workerFrozen,
  workerKilled,
  workerPaused,
  workerStopped,
  primaryKilled,
  primaryHung,
  replicaKilled,
  replicaBehind,
  slotMoved,
  otherPrimaryKilled,
];
