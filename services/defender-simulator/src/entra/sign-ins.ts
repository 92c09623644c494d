import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { sameSecret } from '../tokens.ts';
import type { EntraErrorCode } from './entra-errors.ts';
import { createIdTokens, type IdTokens } from './id-tokens.ts';
import type { Person, SignInSetup } from './sign-in-setup.ts';

/** What the application asked for when it sent the person here. */
export interface SignInRequest {
  redirectUri: string;
  nonce: string | undefined;
  /** SHA-256 of the verifier, base64url (RFC 7636). */
  codeChallenge: string | undefined;
}

/** What the application sends to have an ID token for a code. */
export interface Redemption {
  clientId: string;
  clientSecret: string | undefined;
  code: string;
  redirectUri: string | undefined;
  codeVerifier: string | undefined;
  tenantId: string;
  issuer: string;
}

export type Redeemed = { kind: 'signed-in'; idToken: string } | { kind: 'refused'; error: EntraErrorCode };

/** Codes for people who signed in, each good for one ID token. */
export interface SignIns {
  /** Replaces application and people; codes given before are forgotten. */
  setUp(setup: SignInSetup): Promise<void>;
  /** `undefined` until it was set up. */
  setup(): SignInSetup | undefined;
  giveCode(person: Person, request: SignInRequest): string;
  redeem(redemption: Redemption): Redeemed;
  publicKeys(): ReturnType<IdTokens['publicKeys']>;
}

interface GivenCode extends SignInRequest {
  person: Person;
  expiresAtMs: number;
  redeemed: boolean;
}

export function createSignIns(clock: Clock): SignIns {
  let current: SignInSetup | undefined;
  let idTokens: IdTokens | undefined;
  const codes = new Map<string, GivenCode>();

  return {
    async setUp(setup) {
      idTokens ??= await createIdTokens();
      current = setup;
      codes.clear();
    },
    setup: () => current,
    giveCode(person, request) {
      const code = `1.${randomBytes(48).toString('base64url')}`;
      const expiresAtMs = clock.monotonicMs() + (current?.codeLifetimeMs ?? 0);
      codes.set(code, { ...request, person, expiresAtMs, redeemed: false });
      return code;
    },
    redeem(redemption) {
      if (current === undefined || idTokens === undefined) return refused('AADSTS700016');
      const given = codes.get(redemption.code);
      const error = judge(redemption, given, current, clock.monotonicMs());
      if (given === undefined || error !== undefined) return refused(error ?? 'AADSTS70000');
      given.redeemed = true;
      const { clientId, flaw } = current;
      const { tenantId, issuer } = redemption;
      const { person, nonce } = given;
      const nowS = Math.floor(clock.wallMs() / 1000);
      return {
        kind: 'signed-in',
        idToken: idTokens.issue({ person, clientId, tenantId, issuer, nonce, nowS, flaw }),
      };
    },
    publicKeys: () => idTokens?.publicKeys() ?? { keys: [] },
  };
}

/** The reason to refuse; the application is looked at before the code. */
function judge(
  { clientId, clientSecret, redirectUri, codeVerifier }: Redemption,
  given: GivenCode | undefined,
  setup: SignInSetup,
  nowMs: number,
): EntraErrorCode | undefined {
  if (clientId.toLowerCase() !== setup.clientId.toLowerCase()) return 'AADSTS700016';
  if (setup.clientSecret !== undefined) {
    if (clientSecret === undefined) return 'AADSTS7000218';
    if (!sameSecret(clientSecret, setup.clientSecret)) return 'AADSTS7000215';
  } else if (clientSecret !== undefined) return 'AADSTS700025';
  if (given === undefined) return 'AADSTS70000';
  if (given.redeemed) return 'AADSTS54005';
  if (given.expiresAtMs <= nowMs) return 'AADSTS70008';
  if (given.redirectUri !== redirectUri) return 'AADSTS500112';
  return provesItself(given.codeChallenge, codeVerifier) ? undefined : 'AADSTS501481';
}

/** Who redeems the code must be who asked for it. */
function provesItself(challenge: string | undefined, verifier: string | undefined): boolean {
  if (challenge === undefined || verifier === undefined) return challenge === verifier;
  return createHash('sha256').update(verifier).digest('base64url') === challenge;
}

function refused(error: EntraErrorCode): Redeemed {
  return { kind: 'refused', error };
}
