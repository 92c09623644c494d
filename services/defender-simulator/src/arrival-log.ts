import type { Clock } from './clock.ts';

/** How a request ended; `pending` until that is decided, `aborted` when the client left while still sending. */
export type ArrivalStatus = number | 'pending' | 'hang' | 'reset' | 'aborted';

export interface Arrival {
  /** 1 for the first since the start or the last `clear`. */
  seq: number;
  /** Monotonic milliseconds with fractions, taken when the request's head had arrived. */
  atMs: number;
  /** The same moment by the wall clock, ISO 8601. */
  at: string;
  status: ArrivalStatus;
}

/** What arrived, in order of arrival. */
export interface ArrivalLog<Details extends object> {
  arrived(details: Details): Arrival & Details;
  /** Writes down how the request ends, which is what waiters wait for. */
  settle(arrival: Arrival & Details, status: Exclude<ArrivalStatus, 'pending'>): void;
  entries(): readonly (Arrival & Details)[];
  clear(): void;
  /** Resolves to true once `count` entries are settled, to false at the timeout or when the asker is gone. */
  settled(count: number, timeoutMs: number, gone: AbortSignal): Promise<boolean>;
}

export function createArrivalLog<Details extends object>(clock: Clock): ArrivalLog<Details> {
  let entries: (Arrival & Details)[] = [];
  const waiters = new Set<() => void>();
  const settledCount = () => entries.filter((entry) => entry.status !== 'pending').length;

  return {
    arrived(details) {
      const entry = {
        seq: entries.length + 1,
        atMs: clock.monotonicMs(),
        at: new Date(clock.wallMs()).toISOString(),
        status: 'pending' as const,
        ...details,
      };
      entries.push(entry);
      return entry;
    },
    settle(arrival, status) {
      arrival.status = status;
      for (const check of waiters) check();
    },
    entries: () => entries,
    clear() {
      entries = [];
    },
    settled(count, timeoutMs, gone) {
      return new Promise((resolve) => {
        const finish = (reached: boolean) => {
          clearTimeout(timer);
          waiters.delete(check);
          gone.removeEventListener('abort', giveUp);
          resolve(reached);
        };
        const check = () => {
          if (settledCount() >= count) finish(true);
        };
        const giveUp = () => finish(false);
        const timer = setTimeout(giveUp, timeoutMs);
        waiters.add(check);
        gone.addEventListener('abort', giveUp);
        if (gone.aborted) giveUp();
        else check();
      });
    },
  };
}
