import { namingOf } from '@diq/contracts/machine-name.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { DeadlineWarning } from '@diq/contracts/request-document.ts';
import type { DryRun, Place } from '@diq/queue/admission/dry-run.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { isoTime, startForecast } from '../estimates/forecast-start.ts';
import { inTurn } from '../http/caller-turns.ts';
import { isRefused, withMessage, type Entry, type RefusedItem } from './item-refusal.ts';

/** What is to be expected of items before they are accepted. Maps are by index in the entries. */
export interface Judged {
  /** As given, but for what is refused because it would start too late. */
  entries: Entry[];
  /** For those that will be too late unless the queue gets shorter. */
  warnings: Map<number, DeadlineWarning>;
  /** Where they would stand; only what was needed to know. */
  places: Map<number, Place>;
}

export type DeadlineCheck = ReturnType<typeof createDeadlineCheck>;

/** When a new request at this place is expected to start, in ms; `undefined` while that is unknown. */
export type StartMsAt = (position: number, priority: Priority) => number | undefined;

interface JudgeOptions {
  nowMs: number;
  /** The caller that items are charged to; see `flowOf`. */
  caller: string | undefined;
  /**
   * The request id that an item was recorded under if an attempt at this POST was made before: what that recorded is not
   * refused, whatever became of it since.
   */
  knownAs?: ((index: number) => string) | undefined;
  wantsPlaces?: boolean;
}

/** An item with its index in the entries. */
interface Indexed {
  index: number;
  item: InvestigationItem;
}

export function createDeadlineCheck(dryRun: DryRun, ledgerSnapshot: () => Promise<LedgerSnapshot>) {
  /** Whether even the last place of all would be in time for the first of these deadlines, or that is unknown. */
  async function isSurelyInTime(items: readonly Indexed[]): Promise<boolean> {
    const deadlines = items.flatMap(({ item }) => (item.notAfter === undefined ? [] : [deadlineOf(item)]));
    if (deadlines.length === 0) return true;
    const [waiting, view] = await Promise.all([dryRun.countWaiting(), ledgerSnapshot()]);
    const lastStartMs = startForecast(view)(waiting + items.length);
    return lastStartMs === undefined || lastStartMs <= deadlines.reduce((a, b) => Math.min(a, b));
  }

  /** By index. */
  async function recordedBefore(
    items: readonly Indexed[],
    knownAs: JudgeOptions['knownAs'],
  ): Promise<ReadonlySet<number>> {
    if (!knownAs) return new Set();
    const strict = items.filter(({ item }) => item.strict === true);
    const found = await dryRun.areRecorded(strict.map(({ index }) => knownAs(index)));
    return new Set(strict.filter((_, i) => found[i]).map(({ index }) => index));
  }

  return {
    /** When calls are expected by the ledger as it is. */
    startForecast: async () => forecastOf(await ledgerSnapshot()),
    /**
     * Holds the deadlines of items against the present estimate. An item that is `strict` and would be too late is refused;
     * `strict` has had its effect then and is taken off. Without deadlines nothing is read, unless all places are wanted.
     */
    async judge(given: readonly Entry[], { nowMs, caller, knownAs, wantsPlaces = false }: JudgeOptions) {
      const items = given.flatMap((entry, index) => (isRefused(entry) ? [] : [{ index, item: entry }]));
      const entries = given.map((entry) => (isRefused(entry) ? entry : withoutStrict(entry)));
      const judged: Judged = { entries, warnings: new Map(), places: new Map() };
      if (!wantsPlaces && (await isSurelyInTime(items))) return judged;

      const [view, recorded] = await Promise.all([ledgerSnapshot(), recordedBefore(items, knownAs)]);
      const startMsAt = forecastOf(view);
      const lateStart = ({ item }: Indexed, position: number | undefined) => {
        const startMs = position === undefined ? undefined : startMsAt(position, item.priority);
        return startMs !== undefined && startMs > deadlineOf(item) ? startMs : undefined;
      };
      const asked = items.map(({ item }) => item);
      const isTooLate = (i: number, position: number | undefined) => {
        const indexed = items[i];
        if (indexed?.item.strict !== true || recorded.has(indexed.index)) return false;
        return lateStart(indexed, position) !== undefined;
      };
      const places = await inTurn(caller ?? '', stays, () =>
        dryRun.place(asked, { nowMs, caller }, isTooLate),
      );
      for (const [i, indexed] of items.entries()) {
        const place = places[i];
        if (!place) continue;
        judged.places.set(indexed.index, place);
        const startMs = lateStart(indexed, place.position);
        const expectedStartAt = isoTime(startMs);
        if (place.kind === 'refused') judged.entries[indexed.index] = refused(indexed, expectedStartAt);
        else if (expectedStartAt !== undefined)
          judged.warnings.set(indexed.index, warningFor(indexed.item, expectedStartAt));
      }
      return judged;
    },
  };
}

/** What is asked for may be recorded: its caller is not waited for. */
const stays = { destroyed: false };

function deadlineOf({ notAfter }: InvestigationItem): number {
  return notAfter === undefined ? Infinity : Date.parse(notAfter);
}

function withoutStrict(item: InvestigationItem): InvestigationItem {
  if (item.strict === undefined) return item;
  const { strict: _, ...asked } = item;
  return asked;
}

/** What waits is reckoned with what it may use; what is new and critical may use what is kept for critical calls. */
function forecastOf(view: LedgerSnapshot): StartMsAt {
  const { reserve: _, ...unreserved } = view;
  const [forAll, forCritical] = [startForecast(view), startForecast(unreserved)];
  return (position, priority) => (priority === 'critical' ? forCritical : forAll)(position);
}

function warningFor({ notAfter }: InvestigationItem, expectedStartAt: string): DeadlineWarning {
  return {
    code: 'deadline_unlikely',
    message: `By the present estimate it would start at ${expectedStartAt}, after its notAfter ${notAfter ?? ''}: it will expire unless the queue gets shorter.`,
    expectedStartAt,
  };
}

function refused({ index, item }: Indexed, expectedStartAt = ''): RefusedItem {
  const message = `cannot be met: by the present estimate it would start at ${expectedStartAt}`;
  return {
    rejected: {
      index,
      ...namingOf(item),
      error: withMessage({
        code: 'deadline_unreachable',
        errors: [{ path: 'notAfter', message }],
        expectedStartAt,
      }),
    },
  };
}
