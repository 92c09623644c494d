import { createHash } from 'node:crypto';
import { ipKeyGenerator } from 'express-rate-limit';

export type FailedCredentials = ReturnType<typeof createFailedCredentials>;

/** A credential that is being looked at; it ends in one of three ways. */
interface Trial {
  /** It is good: it is looked at from this address from now on, whatever else comes from there. */
  good(): void;
  wrong(): void;
  /** Nothing can be said of it at the moment. */
  undecided(): void;
}

interface Failures {
  endsAtMs: number;
  /** Of wrong credentials, and of those that are being looked at. */
  digests: Set<string>;
  /** Of these, how many are being looked at. */
  pending: number;
}

/** Different wrong credentials in one window; a client that repeats its own wrong one is no guesser. */
const maxGuesses = 30;
const windowMs = 60_000;
/** A token is checked within moments. */
const pendingRetryMs = 1_000;
/** Addresses, and credentials known to be good, that are remembered; the oldest go first. */
const maxRemembered = 10_000;

/**
 * Counts wrong credentials by address, so that no client can try many of them. In the memory of this process.
 * After too many guesses from an address, nothing from there is tried until the window is over, except what was good
 * from there before: callers behind the same proxy or NAT are not locked out with it.
 */
export function createFailedCredentials(nowMs: () => number = () => performance.now()) {
  const failures = new Map<string, Failures>();
  const good = new Set<string>();

  function failuresOf(network: string): Failures {
    const found = failures.get(network);
    if (found && found.endsAtMs > nowMs()) return found;
    const fresh = { endsAtMs: nowMs() + windowMs, digests: new Set<string>(), pending: 0 };
    failures.delete(network);
    failures.set(network, fresh);
    dropOldest(failures);
    return fresh;
  }

  return {
    /**
     * Counts a credential that is about to be looked at as a wrong one, until it turns out otherwise: many that come at
     * once would all be looked at before the first is known to be wrong.
     */
    begin(address: string, credential: string): Trial | { readonly refusedForMs: number } {
      // IPv6 by the network that one customer gets: its addresses are too many to be counted one by one.
      const network = ipKeyGenerator(address, 56);
      const digest = createHash('sha256').update(credential).digest('base64');
      const name = `${network} ${digest}`;
      if (good.has(name)) return { good: () => remember(name), wrong: nothing, undecided: nothing };
      const found = failuresOf(network);
      const isRepeated = found.digests.has(digest);
      if (!isRepeated && found.digests.size >= maxGuesses) {
        // Those that are being looked at may all be good.
        return { refusedForMs: found.pending > 0 ? pendingRetryMs : found.endsAtMs - nowMs() };
      }
      found.digests.add(digest);
      found.pending += 1;
      const end = (isWrong: boolean): void => {
        found.pending -= 1;
        if (!isWrong && !isRepeated) found.digests.delete(digest);
      };
      return {
        good() {
          end(false);
          remember(name);
        },
        wrong: () => end(true),
        undecided: () => end(false),
      };
    },
  };

  function remember(name: string): void {
    good.delete(name);
    good.add(name);
    dropOldest(good);
  }
}

/** A credential that is known to be good is not counted. */
function nothing(): void {}

/** Both kinds iterate in the order in which their entries were added. */
function dropOldest(remembered: Map<string, unknown> | Set<string>): void {
  if (remembered.size <= maxRemembered) return;
  const [oldest] = remembered.keys();
  if (oldest !== undefined) remembered.delete(oldest);
}
