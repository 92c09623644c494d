import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApiKey, Caller } from '../config/callers.ts';

/** Longer ones are refused unread. */
const maxCredentialLength = 512;

/** Compares with every key to the end, each in constant time: the duration tells nothing about any of them. */
export function createKeyRing(keys: readonly ApiKey[]) {
  /** The key, which is its caller; `undefined` for an unknown one. */
  return (credential: string): ApiKey | undefined => {
    if (credential.length > maxCredentialLength) return undefined;
    const digest = createHash('sha256').update(credential).digest();
    let found: ApiKey | undefined;
    for (const key of keys) {
      if (timingSafeEqual(key.sha256, digest)) found = key;
    }
    return found;
  };
}

/** Who presents a credential. `why` is for the caller, and repeats nothing of the credential. */
export type Identity = { kind: 'known'; caller: Caller } | { kind: 'unknown'; why: string };

/** Rejects where it cannot be found out at the moment. */
export type IdentifyCaller = (credential: string) => Promise<Identity>;
