import type { BlockedBy } from '@diq/contracts/blocked-by.ts';
import { enteredAtMs, type PlacedAct } from '@diq/queue/machine-order/machine-order.ts';
import { calledAnywayAfterMs, type Aside } from '@diq/queue/requests/stored-request.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { isFull } from '../estimates/forecast-start.ts';

/** What stands first on each machine, where operations take turns there. */
export type FirstOn = (machineIds: readonly string[]) => Promise<(PlacedAct | undefined)[]>;

/** Why a call waits for something else than a slot; `undefined` where it does not. */
export function describeBlock(
  aside: Aside | undefined,
  view: Pick<LedgerSnapshot, 'running'>,
  first?: PlacedAct,
): BlockedBy | undefined {
  if (aside?.reason === 'machine_offline') return offline(aside.sinceMs);
  if (aside?.reason === 'machine_busy') return busy(first);
  if (!isFull(view) || view.running === undefined) return undefined;
  const { now: running, most: limit } = view.running;
  return {
    reason: 'concurrency',
    message: `Defender runs ${running} of these, and ${limit} at once: the next is called when one of them has ended.`,
    running,
    limit,
  };
}

function busy(first: PlacedAct | undefined): BlockedBy {
  const message =
    'An operation that was accepted earlier on this machine goes first. They are called one after the other.';
  if (first === undefined) return { reason: 'machine_busy', message };
  const acceptedAt = new Date(enteredAtMs(first)).toISOString();
  return { reason: 'machine_busy', message, behind: { operation: first.operation, acceptedAt } };
}

function offline(sinceMs: number | undefined): BlockedBy {
  return {
    reason: 'machine_offline',
    message:
      'Defender gets no reports of this machine, so others go first. It is called when the machine reports again, or while nothing else waits. Only some of what Defender runs at once is for such machines.',
    ...(sinceMs === undefined
      ? {}
      : {
          since: new Date(sinceMs).toISOString(),
          calledAnywayAt: new Date(sinceMs + calledAnywayAfterMs).toISOString(),
        }),
  };
}
