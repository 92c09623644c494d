import type { RequestIntake } from '@diq/queue/accept-requests.ts';
import { BacklogFullError } from '@diq/queue/accept-chunk.ts';
import type { BacklogBounds, BacklogRoom } from '@diq/queue/backlog-room.ts';
import { freshIds } from '@diq/queue/request-ids.ts';
import type { LedgerView } from '@diq/quota/ledger-replies.ts';
import { forecastStartMs } from './forecast-start.ts';
import { bytesOf } from './memory-guard.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { ProblemError } from './problem-error.ts';
import { retryAfterSeconds } from './retry-after.ts';

export interface BackPressureSettings {
  /** Requests that may be queued. */
  maxBacklog: number;
  /** Of them, requests of one caller: so that it cannot keep all others out. */
  maxBacklogOfCaller: number;
  /** Of Redis' `maxmemory`, from which on nothing new is accepted. */
  maxMemoryShare: number;
  /** Time within which everything that is accepted is expected to be started; `undefined`: any. */
  maxDrainMs: number | undefined;
}

interface BackPressureDeps {
  settings: BackPressureSettings;
  room: BacklogRoom;
  memory: Pick<MemoryGuard, 'admit'>;
  lookAtLedger: () => Promise<LedgerView>;
}

/** What waits, with what is being recorded at this moment. */
type FullBacklog = Record<'requests' | 'dispatches' | 'ofCaller', number>;

/**
 * An intake that refuses a POST as a whole, before anything of it is recorded, when more would wait than may. Every
 * request counts, also one that will join another: who joins which is known only when it is recorded.
 */
export function withBackPressure(intake: RequestIntake, deps: BackPressureDeps): RequestIntake {
  const refusal = async (full: FullBacklog, size: number, bounds: BacklogBounds) =>
    backlogFull(full, size, { bounds, view: await deps.lookAtLedger() });

  return {
    async acceptOne(item, nowMs, ids, caller, trace) {
      deps.memory.admit(bytesOf(item));
      const bounds = await boundsNow(deps);
      try {
        return await intake.acceptOne(item, nowMs, ids, caller, trace, bounds);
      } catch (error) {
        throw error instanceof BacklogFullError ? await refusal(error, 1, bounds) : error;
      }
    },
    async acceptBatch(entries, nowMs, ids = freshIds(), caller, ...more) {
      const size = entries.filter((entry) => !('rejected' in entry)).length;
      deps.memory.admit(entries.reduce((sum, entry) => sum + bytesOf(entry), 0));
      const bounds = await boundsNow(deps);
      const room = await deps.room.keep(size, bounds, ids.batch, caller);
      if (room.kind === 'full') throw await refusal(room, size, bounds);
      try {
        return await intake.acceptBatch(entries, nowMs, ids, caller, ...more);
      } finally {
        // Goes out ahead of whatever follows on this connection; lost, the room is given up by itself.
        room.giveBack().catch(() => undefined);
      }
    },
  };
}

async function boundsNow({ settings, lookAtLedger }: BackPressureDeps): Promise<BacklogBounds> {
  const { maxBacklog, maxBacklogOfCaller: ofCaller, maxDrainMs } = settings;
  if (maxDrainMs === undefined) return { requests: maxBacklog, ofCaller, dispatches: undefined };
  return {
    requests: maxBacklog,
    ofCaller,
    dispatches: startsWithin(await lookAtLedger(), maxDrainMs, maxBacklog),
  };
}

/** How many calls are expected to start within this time, at most `most`; none while nobody can say. */
export function startsWithin(view: LedgerView, durationMs: number, most: number): number {
  const isWithin = (position: number) => {
    const startMs = forecastStartMs(view, position);
    return startMs !== undefined && startMs - view.nowMs <= durationMs;
  };
  let [some, tooMany] = [0, most + 1];
  while (tooMany - some > 1) {
    const middle = Math.floor((some + tooMany) / 2);
    if (isWithin(middle)) some = middle;
    else tooMany = middle;
  }
  return some;
}

function backlogFull(
  { requests, dispatches, ofCaller }: FullBacklog,
  size: number,
  { bounds, view }: { bounds: BacklogBounds; view: LedgerView },
): ProblemError {
  const passed = [
    { most: bounds.requests, waiting: requests, whose: '' },
    { most: bounds.ofCaller ?? Infinity, waiting: ofCaller, whose: ' of yours' },
    { most: bounds.dispatches ?? Infinity, waiting: dispatches, whose: '' },
  ]
    .map((one) => ({ ...one, tooMany: one.waiting + size - one.most }))
    .filter(({ tooMany }) => tooMany > 0);
  const [first] = passed;
  // When so many calls have started that the POST fits; a call may end more requests than one, so it is no later.
  const startMs = forecastStartMs(view, Math.max(1, ...passed.map(({ tooMany }) => tooMany)));
  const { whose = '', waiting = requests, most = bounds.requests } = first ?? {};
  return new ProblemError('backlog_full', {
    detail:
      `${waiting}${whose} wait, ${size} were posted, and ${most}${whose} may wait by the settings and the quota; ` +
      'nothing of it was accepted.',
    headers: {
      'Retry-After': retryAfterSeconds(startMs === undefined ? undefined : startMs - view.nowMs),
    },
  });
}
