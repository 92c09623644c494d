import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  clockTolerance,
  Configuration,
  customFetch,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { z } from 'zod';
import { clip } from '@diq/contracts/text.ts';
import { guid, type EntraSettings, type SignInSettings } from '../config/auth-settings.ts';
import type { Proxy } from '@diq/runtime/http-client/proxy-settings.ts';
import { createEntraFetch } from './entra-fetch.ts';
import { knownRoles, scopesOfRoles } from './entra-roles.ts';
import { createPendingSignIns, type PendingSignIn } from './pending-sign-in.ts';
import type { Person } from './person-sessions.ts';
import { refusalOf, type SignInRefusal } from './sign-in-refusal.ts';

/** Where Entra ID sends people back to, below the public URL: as it stands in the app registration. */
export const callbackPath = '/session/entra/callback';

/** Each of at most two questions to Entra ID: for the token, and for the keys that sign it. A person is waiting. */
const askTimeoutSeconds = 5;
const clockToleranceSeconds = 60;
/** People come one by one; more than these are no people. Of one address fewer: it does not keep others out while Entra ID is slow. */
const maxUnderWay = 20;
const maxOfOneAddress = 3;
const maxNameLength = 100;
/** They would move or hide what stands beside a name: controls, and marks that change the direction of letters. */
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const claims = z.object({
  tid: z.string().toLowerCase(),
  oid: guid,
  name: z.string().optional(),
  preferred_username: z.string().optional(),
  roles: z.array(z.string()).default([]),
});

/** What came of signing in. `replaced`: places of sessions in whose place the person's comes. */
export type SignInResult =
  | { kind: 'signed-in'; person: Person; replaced: readonly string[] }
  | { kind: 'refused'; refusal: SignInRefusal };

export type EntraSignIn = ReturnType<typeof createEntraSignIn>;

/**
 * Signs people in by the authorization code flow of OpenID Connect, with PKCE. The addresses are those that Entra ID has below
 * its authority for every tenant: nothing is read to find them, so nothing can lead elsewhere. Its tokens are looked at and
 * not kept.
 *
 * @param deps.ca PEM of the only authority of certificates to trust for Entra ID, instead of Node's own list
 */
export function createEntraSignIn(
  { authorityHost, tenantId }: EntraSettings,
  { clientId, clientSecret, publicUrl }: SignInSettings,
  { ca, proxy }: { ca?: string | undefined; proxy?: Proxy | undefined } = {},
) {
  const tenant = `${authorityHost}/${tenantId}`;
  const redirectUri = `${publicUrl}${callbackPath}`;
  const config = new Configuration(
    {
      issuer: `${tenant}/v2.0`,
      authorization_endpoint: `${tenant}/oauth2/v2.0/authorize`,
      token_endpoint: `${tenant}/oauth2/v2.0/token`,
      jwks_uri: `${tenant}/discovery/v2.0/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    },
    clientId,
    { client_secret: clientSecret, [clockTolerance]: clockToleranceSeconds },
  );
  config.timeout = askTimeoutSeconds;
  config[customFetch] = createEntraFetch(authorityHost, ca, proxy);
  // That the token came over TLS would be enough by the standard.
  enableNonRepudiationChecks(config);
  const pendingSignIns = createPendingSignIns(clientSecret);
  /** By address. */
  const underWay: string[] = [];

  async function redeem(answer: URLSearchParams, pending: PendingSignIn): Promise<SignInResult> {
    const url = new URL(redirectUri);
    url.search = answer.toString();
    const tokens = await authorizationCodeGrant(config, url, {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      idTokenExpected: true,
    });
    const read = claims.safeParse(tokens.claims());
    if (!read.success || read.data.tid !== tenantId) return refused({ code: 'refused', detail: 'claims' });
    const { oid, roles } = read.data;
    if (!scopesOfRoles(roles).has('read')) return refused({ code: 'no_role' });
    const person = { oid, displayName: displayNameOf(read.data), roles: knownRoles(roles) };
    return { kind: 'signed-in', person, replaced: pending.replaced };
  }

  return {
    /** Whether browsers reach the service over https. */
    isSecure: publicUrl.startsWith('https:'),
    /**
     * Where to send a browser, and what it has to keep meanwhile.
     *
     * @param replaced places of the sessions that end when the person has signed in
     */
    async begin(replaced: string[]): Promise<{ url: URL; sealed: string }> {
      const [state, nonce, verifier] = [randomState(), randomNonce(), randomPKCECodeVerifier()];
      const url = buildAuthorizationUrl(config, {
        redirect_uri: redirectUri,
        scope: 'openid profile',
        response_mode: 'query',
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        // No page signs a person in unasked, and who shares a browser can choose.
        prompt: 'select_account',
      });
      return { url, sealed: await pendingSignIns.seal({ state, nonce, verifier, replaced }) };
    },
    /**
     * Who has signed in, by what the browser brought back from Entra ID and what it kept. Asks Entra ID only where the two
     * belong together.
     *
     * @param address where it came from
     */
    async finish(
      answer: URLSearchParams,
      sealed: string | undefined,
      address: string,
    ): Promise<SignInResult> {
      const pending = sealed === undefined ? undefined : await pendingSignIns.open(sealed);
      if (!pending) return refused({ code: 'expired' });
      if (answer.get('state') !== pending.state) return refused({ code: 'wrong_state' });
      const ownUnderWay = underWay.filter((one) => one === address).length;
      if (underWay.length >= maxUnderWay || ownUnderWay >= maxOfOneAddress)
        return refused({ code: 'too_many' });
      underWay.push(address);
      try {
        return await redeem(answer, pending);
      } catch (error) {
        return refused(refusalOf(error));
      } finally {
        underWay.splice(underWay.indexOf(address), 1);
      }
    },
  };
}

function refused(refusal: SignInRefusal): SignInResult {
  return { kind: 'refused', refusal };
}

/** As the person is called there; the name to sign in with where there is none. */
function displayNameOf({ name, preferred_username: username }: z.output<typeof claims>): string | undefined {
  const names = [name, username].map((one) =>
    clip((one ?? '').replace(unprintable, '').trim(), maxNameLength),
  );
  return names.find((one) => one !== '');
}
