import type { LookUpKey } from './api-keys.ts';
import { looksLikeToken } from './entra-tokens.ts';
import type { CheckToken } from './entra-tokens.ts';
import type { Identity } from './identity.ts';

/** Rejects where it cannot be found out at the moment. */
export type IdentifyCaller = (credential: string) => Promise<Identity>;

/** By API key, and by token of an Entra tenant where one is accepted. */
export function createIdentifyCaller(lookUpKey: LookUpKey, checkToken?: CheckToken): IdentifyCaller {
  return async (credential) => {
    const caller = lookUpKey(credential);
    if (caller) return { kind: 'known', caller };
    if (checkToken && looksLikeToken(credential)) return await checkToken(credential);
    return { kind: 'unknown', why: 'The credential is not known here.' };
  };
}
