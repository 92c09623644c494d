/** Gives the slot back. `isAnswered`: whether the host said something, whatever that was; `undefined`: it was not waited for. */
export type ReleaseSlot = (isAnswered: boolean | undefined) => void;

/** A slot for an attempt at the host on behalf of the caller; `undefined` while others have to end first. */
export type TakeSlot = (host: string, caller?: string) => ReleaseSlot | undefined;

interface AttemptSlotsOptions {
  /** Attempts at one host. */
  maxPerHost: number;
  /** Attempts at all hosts together whose last attempt brought no answer; of these a host has one. */
  maxAtSilent: number;
  /** Attempts on behalf of one caller, at whatever hosts. */
  maxPerCaller: number;
}

/** Of more hosts than these it is not remembered that they are silent: callers choose names below a wildcard. */
const maxRemembered = 1_000;

/**
 * Bounds the attempts that one process makes at the same time, so that hosts which take long keep no others waiting.
 * A host without an answer keeps an attempt until it times out, be it that its name is not resolved, no process listens or
 * nothing is said. So until it answers it has one attempt at a time, and all such hosts leave others their share. One that
 * answers late is not silent, and names below a wildcard are as many as a caller likes: so each caller leaves others a share.
 */
export function createAttemptSlots({ maxPerHost, maxAtSilent, maxPerCaller }: AttemptSlotsOptions): TakeSlot {
  const underWay = new Map<string, number>();
  const ofCaller = new Map<string, number>();
  const silent = new Set<string>();

  function countAtSilent(): number {
    let count = 0;
    for (const [host, attempts] of underWay) if (silent.has(host)) count += attempts;
    return count;
  }

  function isFree(host: string): boolean {
    const own = underWay.get(host) ?? 0;
    return silent.has(host) ? own === 0 && countAtSilent() < maxAtSilent : own < maxPerHost;
  }

  return (host, caller = '') => {
    if (!isFree(host) || (ofCaller.get(caller) ?? 0) >= maxPerCaller) return undefined;
    add(underWay, host, 1);
    add(ofCaller, caller, 1);
    return (isAnswered) => {
      add(underWay, host, -1);
      add(ofCaller, caller, -1);
      if (isAnswered === true) silent.delete(host);
      if (isAnswered === false && silent.size < maxRemembered) silent.add(host);
    };
  };
}

function add(counts: Map<string, number>, name: string, more: 1 | -1): void {
  const count = (counts.get(name) ?? 0) + more;
  if (count > 0) counts.set(name, count);
  else counts.delete(name);
}
