import { hkdfSync } from 'node:crypto';
import { EncryptJWT, jwtDecrypt } from 'jose';
import { z } from 'zod';

/** What a browser keeps while its person is at Entra ID. */
export interface PendingSignIn {
  /** Comes back with the answer, which so belongs to this browser. */
  state: string;
  /** Comes back in the ID token, which so belongs to this sign-in. */
  nonce: string;
  /** Proves that who redeems the code asked for it (PKCE). */
  verifier: string;
  /**
   * Places in Redis of the sessions that the new one takes the place of: the browser does not bring them when it comes back, and
   * their tokens may be longer than a cookie has room for.
   */
  replaced: string[];
}

/** Time for a password, a second factor and a look for the phone. */
export const pendingForMs = 10 * 60_000;

/** Browsers keep cookies of up to 4,096 bytes. */
const maxLength = 4_000;
/** With these, all headers of the answer stay below 4 KB, of which some proxies take no more. */
const [replacedAtMost, replacedLengthAtMost] = [4, 250];

const text = z.string().min(20).max(200);
const content = z.object({ state: text, nonce: text, verifier: text, replaced: z.array(z.string()) });

/**
 * Encrypts what is pending, so that nothing is stored of people who have not signed in yet, and every intake can go on with
 * what another one began. Read back it is this service's own, whole and no older than {@link pendingForMs}.
 */
export function createPendingSignIns(clientSecret: string) {
  const key = secretFor('pending sign-in', clientSecret);
  const algorithms = { alg: 'dir', enc: 'A256GCM' } as const;
  return {
    async seal(pending: PendingSignIn): Promise<string> {
      const replaced = pending.replaced
        .filter((place) => place.length <= replacedLengthAtMost)
        .slice(0, replacedAtMost);
      return await new EncryptJWT({ ...pending, replaced })
        .setProtectedHeader(algorithms)
        .setExpirationTime(new Date(Date.now() + pendingForMs))
        .encrypt(key);
    },
    /** `undefined` for what was not sealed here, or is over. */
    async open(sealed: string): Promise<PendingSignIn | undefined> {
      if (sealed.length > maxLength) return undefined;
      const opened = await jwtDecrypt(sealed, key, {
        keyManagementAlgorithms: [algorithms.alg],
        contentEncryptionAlgorithms: [algorithms.enc],
        requiredClaims: ['exp'],
      }).catch(() => undefined);
      return content.safeParse(opened?.payload).data;
    },
  };
}

/** A key of 32 bytes for one purpose, which all intakes make alike. The secret does not follow from it. */
export function secretFor(purpose: string, clientSecret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', clientSecret, '', `diq ${purpose}`, 32));
}
