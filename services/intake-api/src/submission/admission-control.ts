import type { RequestIntake, Submission } from '@diq/queue/admission/accept-requests.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { BacklogFullError, StorageFullError } from '@diq/queue/admission/accept-chunk.ts';
import type { BacklogBounds, BacklogRoom, Room } from '@diq/queue/admission/backlog-reservation.ts';
import { freshIds } from '@diq/queue/admission/request-ids.ts';
import { postedBytes, requestBytes } from '@diq/queue/admission/stored-bytes.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import type { SpanAttributes, Tracing } from '@diq/runtime/tracing/tracing.ts';
import { byQuotaAlone, forecastStartMs, startForecast } from '../estimates/forecast-start.ts';
import type { BackPressureSettings } from '../config/config.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { ProblemError } from '../http/problem-error.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';

interface BackPressureDeps {
  /** Of the queue. */
  queueTag: string;
  settings: BackPressureSettings;
  room: BacklogRoom;
  memory: Pick<MemoryGuard, 'admit' | 'mostOfCaller'>;
  ledgerSnapshot: () => Promise<LedgerSnapshot>;
  tracing: Tracing;
  /** Whether requests get a place in the order of their machine before they are recorded: what is refused shall leave none. */
  hasPlaces?: boolean;
}

/** What waits, with what is being recorded at this moment. */
type FullBacklog = Record<'requests' | 'tasks' | 'ofCaller', number>;

/**
 * An intake that refuses a POST as a whole, before anything of it is recorded, when more would wait than may, or more be
 * stored of its caller. Every request counts, also one that will join another: who joins which is known only when it is
 * recorded. Each acceptance has a span, whose context is what the requests keep.
 */
export function withBackPressure(intake: RequestIntake, deps: BackPressureDeps): RequestIntake {
  const { memory, room: backlog, tracing } = deps;
  const refusal = async (full: FullBacklog, size: number, bounds: BacklogBounds) =>
    backlogFull(full, size, { bounds, view: await deps.ledgerSnapshot() });

  /** Records what room is kept for, and gives it back. */
  async function inRoom<T>(
    room: Room,
    { size, bytes, bounds }: { size: number; bytes: number; bounds: BacklogBounds },
    accept: () => Promise<T>,
  ): Promise<T> {
    if (room.kind === 'full') throw await refusal(room, size, bounds);
    if (room.kind === 'source-full') throw sourceFull(room.ofSource, size, bounds);
    if (room.kind === 'storage-full') throw storageFull(room.storedBytes, bytes, bounds);
    try {
      return await accept();
    } finally {
      // Goes out ahead of whatever follows on this connection; lost, the room is given up by itself.
      room.giveBack().catch(() => undefined);
    }
  }

  return {
    acceptOne(item, given) {
      const about = { 'diq.machine.id': item.machineId, 'diq.request.id': given.ids?.request(0) };
      return traced(tracing, given, about, async (submission) => {
        const bytes = requestBytes(item, submission.trace);
        memory.admit(bytes);
        const bounds = await boundsNow(deps);
        if (deps.hasPlaces === true) {
          const { ids = freshIds(deps.queueTag), caller } = submission;
          const room = await backlog.keepForOne(bounds, ids.request(0), caller, bytes);
          return inRoom(room, { size: 1, bytes, bounds }, () =>
            intake.acceptOne(item, { ...submission, ids }),
          );
        }
        try {
          return await intake.acceptOne(item, { ...submission, bounds });
        } catch (error) {
          if (error instanceof StorageFullError) throw storageFull(error.storedBytes, bytes, bounds);
          throw error instanceof BacklogFullError ? await refusal(error, 1, bounds) : error;
        }
      });
    },
    acceptRetries(retries, given) {
      return traced(tracing, given, { 'diq.batch.items': retries.length }, async (submission) => {
        const bytes = retries.reduce((sum, item) => sum + requestBytes(item, submission.trace), 0);
        memory.admit(bytes);
        const bounds = await boundsNow(deps);
        if (deps.hasPlaces === true) {
          const { ids = freshIds(deps.queueTag), caller } = submission;
          const size = retries.length;
          const room = await backlog.keep(size, bounds, ids.batch, caller, bytes);
          return inRoom(room, { size, bytes, bounds }, () =>
            intake.acceptRetries(retries, { ...submission, ids }),
          );
        }
        try {
          return await intake.acceptRetries(retries, { ...submission, bounds });
        } catch (error) {
          if (error instanceof StorageFullError) throw storageFull(error.storedBytes, bytes, bounds);
          throw error instanceof BacklogFullError ? await refusal(error, retries.length, bounds) : error;
        }
      });
    },
    acceptBatch(entries, given) {
      const about = { 'diq.batch.id': given.ids?.batch, 'diq.batch.items': entries.length };
      return traced(tracing, given, about, async (submission) => {
        const { ids = freshIds(deps.queueTag), caller, callbackUrl, trace } = submission;
        const size = entries.filter((entry) => !('rejected' in entry)).length;
        const bytes = postedBytes(entries, callbackUrl, trace);
        memory.admit(bytes);
        const bounds = { ...(await boundsNow(deps)), ofSource: submission.ofSource };
        const room = await backlog.keep(size, bounds, ids.batch, caller, bytes);
        const accept = () => intake.acceptBatch(entries, { ...submission, ids });
        return inRoom(room, { size, bytes, bounds }, accept);
      });
    },
  };
}

/**
 * A full Redis refuses the record of a new key before the intake can refuse what is posted with it: the caller gets the same
 * answer as without a key. Answers that are kept are given again.
 */
export function keysWithinMemory(
  store: IdempotencyStore,
  memory: Pick<MemoryGuard, 'admit'>,
): IdempotencyStore {
  return {
    ...store,
    attempt(key, caller) {
      const attempt = store.attempt(key, caller);
      return {
        ...attempt,
        async claim(digest, nowMs) {
          try {
            return await attempt.claim(digest, nowMs);
          } catch (error) {
            memory.admit(0);
            throw error;
          }
        },
      };
    },
  };
}

async function traced<S extends Submission, T>(
  tracing: Tracing,
  submission: S,
  attributes: SpanAttributes,
  accept: (own: S) => Promise<T>,
): Promise<T> {
  const span = tracing.start('accept', { kind: 'internal', parent: submission.trace, attributes });
  try {
    const accepted = await accept({ ...submission, trace: span.context });
    span.end();
    return accepted;
  } catch (error) {
    span.end({ error: error instanceof Error ? error.name : 'unknown' });
    throw error;
  }
}

async function boundsNow({ settings, memory, ledgerSnapshot }: BackPressureDeps): Promise<BacklogBounds> {
  const { maxBacklog, maxBacklogOfCaller: ofCaller, maxDrainMs } = settings;
  const tasks =
    maxDrainMs === undefined ? undefined : startsWithin(await ledgerSnapshot(), maxDrainMs, maxBacklog);
  return { requests: maxBacklog, ofCaller, bytesOfCaller: memory.mostOfCaller(), tasks };
}

/** How many calls are expected to start within this time, at most `most`; none while that is unknown. */
export function startsWithin(found: LedgerSnapshot, durationMs: number, most: number): number {
  const view = byQuotaAlone(found);
  const forecast = startForecast(view);
  const isWithin = (position: number) => {
    const startMs = forecast(position);
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
  { requests, tasks, ofCaller }: FullBacklog,
  size: number,
  { bounds, view }: { bounds: BacklogBounds; view: LedgerSnapshot },
): ProblemError {
  const passed = [
    { most: bounds.requests, waiting: requests, whose: '' },
    { most: bounds.ofCaller ?? Infinity, waiting: ofCaller, whose: ' of yours' },
    { most: bounds.tasks ?? Infinity, waiting: tasks, whose: '' },
  ]
    .map((one) => ({ ...one, tooMany: one.waiting + size - one.most }))
    .filter(({ tooMany }) => tooMany > 0);
  const [first] = passed;
  // When so many calls have started that the POST fits; a call may end more requests than one, so it is no later.
  const startMs = forecastStartMs(view, Math.max(1, ...passed.map(({ tooMany }) => tooMany)));
  const { whose = '', waiting = requests, most = bounds.requests } = first ?? {};
  return new ProblemError('backlog_full', {
    detail:
      `${waiting} requests${whose} are waiting, ${size} were posted, and settings and quota allow ${most}${whose}; ` +
      'nothing of this request was accepted.',
    headers: {
      'Retry-After': retryAfterSeconds(startMs === undefined ? undefined : startMs - view.nowMs),
    },
  });
}

/** When which of them start depends on the turns of all. */
function sourceFull(waiting: number, size: number, { ofSource }: BacklogBounds): ProblemError {
  return new ProblemError('backlog_full', {
    detail:
      `${waiting} requests of yours that came over MCP are waiting, ${size} were posted, and MCP_MAX_WAITING allows ` +
      `${ofSource?.most ?? 0}; nothing of this request was accepted.`,
    headers: { 'Retry-After': retryAfterSeconds(undefined) },
  });
}

/** The time at which enough will be deleted cannot be predicted: it depends on when its requests end; minutes are too soon. */
function storageFull(storedBytes: number, bytes: number, { bytesOfCaller = 0 }: BacklogBounds): ProblemError {
  return new ProblemError('storage_full', {
    detail:
      `${megabytes(storedBytes)} of yours are stored, ${megabytes(bytes)} were posted, and the limit of a caller is ` +
      `${megabytes(bytesOfCaller)}; nothing of this request was accepted. Ended requests free room when their retention is over or an operator deletes them.`,
    headers: { 'Retry-After': retryAfterSeconds(Number.POSITIVE_INFINITY) },
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
