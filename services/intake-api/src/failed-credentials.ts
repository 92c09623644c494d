import { createHash } from 'node:crypto';
import { ipKeyGenerator } from 'express-rate-limit';

/** Notes who presents wrong credentials, so that nobody can try many of them. In the memory of this process. */
export interface FailedCredentials {
  /** For how long this one is not even looked at; 0 where it is. */
  refuseForMs(address: string, credential: string): number;
  noteFailure(address: string, credential: string): void;
  noteSuccess(address: string, credential: string): void;
}

interface Failures {
  endsAtMs: number;
  digests: Set<string>;
}

/** Different wrong credentials in one window; a client that repeats its own wrong one is no guesser. */
const maxGuesses = 30;
const windowMs = 60_000;
/** Addresses, and credentials known to be good, that are remembered; the oldest go first. */
const maxRemembered = 10_000;

/**
 * After too many guesses from an address, nothing from there is tried until the window is over, except what was good
 * from there before: callers behind the same proxy or NAT are not locked out with it.
 */
export function createFailedCredentials(nowMs: () => number = () => performance.now()): FailedCredentials {
  const failures = new Map<string, Failures>();
  const good = new Set<string>();

  function failuresOf(network: string): Failures | undefined {
    const found = failures.get(network);
    return found && found.endsAtMs > nowMs() ? found : undefined;
  }

  return {
    refuseForMs(address, credential) {
      if (failures.size === 0) return 0;
      const network = networkOf(address);
      const found = failuresOf(network);
      if (!found || found.digests.size < maxGuesses) return 0;
      const digest = digestOf(credential);
      if (found.digests.has(digest) || good.has(`${network} ${digest}`)) return 0;
      return found.endsAtMs - nowMs();
    },
    noteFailure(address, credential) {
      const network = networkOf(address);
      const found = failuresOf(network) ?? { endsAtMs: nowMs() + windowMs, digests: new Set() };
      if (found.digests.size < maxGuesses) found.digests.add(digestOf(credential));
      failures.delete(network);
      failures.set(network, found);
      dropOldest(failures);
    },
    noteSuccess(address, credential) {
      const name = `${networkOf(address)} ${digestOf(credential)}`;
      good.delete(name);
      good.add(name);
      dropOldest(good);
    },
  };
}

/** IPv6 by the network that one customer gets: its addresses are too many to be counted one by one. */
function networkOf(address: string): string {
  return ipKeyGenerator(address, 56);
}

function digestOf(credential: string): string {
  return createHash('sha256').update(credential).digest('base64');
}

/** Both kinds iterate in the order in which their entries were added. */
function dropOldest(remembered: Map<string, unknown> | Set<string>): void {
  if (remembered.size <= maxRemembered) return;
  const [oldest] = remembered.keys();
  if (oldest !== undefined) remembered.delete(oldest);
}
