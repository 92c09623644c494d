import type { QueueState } from '../estimates/queue-state.ts';
import type { StateDocument } from './read-state-document.ts';

/** A listener. Neither method throws. */
export interface Listener {
  send(text: string): void;
  /** It is over: the listener may come again. */
  end(): void;
}

/** Tells any number of listeners what changed, out of one reading per process. Texts are server-sent events. */
export type StateFeed = ReturnType<typeof createStateFeed>;

/** An event and no comment, which browsers keep from a page: only what is heard tells a live connection from a dead one. */
const heartbeatEvent = 'event: heartbeat\ndata: {}\n\n';

interface Listening {
  readonly sinceMs: number;
  readonly caller: string;
  readonly isSignedIn: (() => Promise<boolean>) | undefined;
}

export function createStateFeed(options: {
  readState: () => Promise<QueueState>;
  readDocument: (state: QueueState) => Promise<StateDocument>;
  onError: (error: unknown) => void;
  /** The least time between two events. */
  minIntervalMs?: number;
  heartbeatMs?: number;
  /** Between two looks at whether those who listen are still signed in. */
  signedInCheckMs?: number;
  /** A listener is ended after this, so that its credential is looked at again when it comes back. */
  maxAgeMs?: number;
  maxListeners?: number;
  /** Of them, those of one caller: so that it keeps no other from listening. */
  maxListenersOfCaller?: number;
}) {
  const { minIntervalMs = 1_000, heartbeatMs = 15_000, maxAgeMs = 300_000, maxListeners = 200 } = options;
  const { maxListenersOfCaller = 20, signedInCheckMs = 3_000 } = options;
  const listeners = new Map<Listener, Listening>();
  let last: { text: string; fingerprint: string; readAtMs: number } | undefined;
  let reading: Promise<void> | undefined;
  let timers: NodeJS.Timeout[] = [];
  let isClosed = false;

  /** Never two at a time: who asks meanwhile waits for the one under way. */
  function read(state: QueueState | undefined): Promise<void> {
    return (reading ??= take(state).finally(() => (reading = undefined)));
  }

  async function take(state: QueueState | undefined): Promise<void> {
    const readAtMs = performance.now();
    const document = await options.readDocument(state ?? (await options.readState()));
    const fingerprint = fingerprintOf(document);
    const isNew = fingerprint !== last?.fingerprint;
    // Values that change with time alone are sent as of now.
    last = { text: `event: state\ndata: ${JSON.stringify(document)}\n\n`, fingerprint, readAtMs };
    if (isNew) sendAll(last.text);
  }

  function sendAll(text: string): void {
    for (const listener of listeners.keys()) listener.send(text);
  }

  function beat(): void {
    const nowMs = performance.now();
    for (const [listener, { sinceMs }] of listeners) {
      if (nowMs - sinceMs < maxAgeMs) listener.send(heartbeatEvent);
      else end(listener);
    }
  }

  function drop(listener: Listener): void {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    timers.forEach(clearInterval);
    timers = [];
  }

  function end(listener: Listener): void {
    if (!listeners.has(listener)) return;
    drop(listener);
    listener.end();
  }

  /** While that cannot be asked, the state cannot be read either. */
  async function endSignedOut(listener: Listener, isSignedIn: () => Promise<boolean>): Promise<void> {
    if (!(await isSignedIn().catch(() => true))) end(listener);
  }

  function checkSignedIn(): void {
    for (const [listener, { isSignedIn }] of listeners)
      if (isSignedIn) void endSignedOut(listener, isSignedIn);
  }

  /** Queue and quota cannot be read. */
  function fail(): void {
    if (!last) return;
    last = undefined;
    sendAll('event: unavailable\ndata: {}\n\n');
  }

  function whyFull(caller: string): 'full' | 'full-for-caller' | undefined {
    if (isClosed || listeners.size >= maxListeners) return 'full';
    const own = [...listeners.values()].filter((other) => other.caller === caller);
    return own.length >= maxListenersOfCaller ? 'full-for-caller' : undefined;
  }

  /** Ends all listeners, which may come again with what they have for a credential. */
  function endAll(): void {
    for (const listener of listeners.keys()) end(listener);
  }

  return {
    /** A reading of queue and quota. */
    show(state: QueueState): void {
      if (listeners.size === 0 || reading) return;
      if (last && performance.now() - last.readAtMs < minIntervalMs) return;
      read(state).catch((error: unknown) => {
        // Listeners would take the last document for the state.
        fail();
        options.onError(error);
      });
    },
    fail,
    isListenedTo: () => listeners.size > 0,
    /**
     * Sends the present state, then each change. Returns how to stop it, or `full` where too many listen already, and
     * `full-for-caller` where too many of this caller do. Rejects while the state cannot be read. `isSignedIn` is asked again
     * and again: once it is false the listener is ended.
     */
    async listen(
      listener: Listener,
      caller: string,
      isSignedIn?: () => Promise<boolean>,
    ): Promise<(() => void) | 'full' | 'full-for-caller'> {
      const refused = whyFull(caller);
      if (refused) return refused;
      if (!last || performance.now() - last.readAtMs > 2 * minIntervalMs) await read(undefined);
      // Others may have come meanwhile.
      const refusedNow = whyFull(caller);
      if (refusedNow) return refusedNow;
      listeners.set(listener, { sinceMs: performance.now(), caller, isSignedIn });
      if (timers.length === 0)
        timers = [setInterval(beat, heartbeatMs), setInterval(checkSignedIn, signedInCheckMs)];
      if (last) listener.send(last.text);
      return () => drop(listener);
    },
    endAll,
    /** Ends all listeners, and takes no more. */
    close(): void {
      isClosed = true;
      endAll();
    },
  };
}

/** The same for two documents of which the later one tells nothing but that time has passed. */
function fingerprintOf(document: StateDocument): string {
  const { now: _now, nextSlotAt, limits, queue, workers, next, ...rest } = document;
  const { oldestWaitSeconds: _oldestWaitSeconds, expectedDrainAt, startNotBefore, ...counts } = queue;
  // While a slot is free, the next one is always now, and what is reckoned from it moves on.
  const expected =
    document.remaining > 0 ? [expectedDrainAt === null] : [nextSlotAt, expectedDrainAt, startNotBefore];
  const nextOnes = next.map(({ expectedStartAt, startNotBefore: notBefore, ...call }) =>
    document.remaining > 0 ? [call, expectedStartAt === undefined] : [call, expectedStartAt, notBefore],
  );
  // A worker that is alive is seen again and again.
  const called = workers.state === 'absent' ? workers : [workers.state, workers.alive];
  const windows = limits.map((limit) => (limit.remaining > 0 ? { ...limit, nextSlotAt: null } : limit));
  return JSON.stringify([rest, windows, counts, expected, called, nextOnes]);
}
