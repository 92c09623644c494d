import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import { callbackPath, type EntraSignIn, type SignInResult } from '../auth/entra-sign-in.ts';
import {
  allSessionTokens,
  clearPendingCookie,
  pendingCookie,
  setPendingCookie,
  setSessionCookie,
} from '../auth/session-cookie.ts';
import type { SignInRefusal } from '../auth/sign-in-refusal.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { defineBrowserRoute } from '../http/define-route.ts';
import { ProblemError } from '../http/problem-error.ts';
import { clientAddress, contextOf } from '../http/request-context.ts';
import { passed } from './session.ts';

type SignedIn = Extract<SignInResult, { kind: 'signed-in' }>;

/** Sends a browser to Entra ID, from the own page or an address that a person typed. */
export const beginEntraSignIn = defineBrowserRoute({
  method: 'get',
  path: '/session/entra',
  async handle({ request, response }, { entraSignIn, sessions }: ServiceDependencies) {
    const signIn = offered(entraSignIn);
    // What another site's page begins would end in a session that its person did not ask for.
    const site = request.get('Sec-Fetch-Site') ?? 'none';
    if (!['same-origin', 'none'].includes(site)) {
      refuse(response, { code: 'foreign_page' });
      return;
    }
    const { url, sealed } = await signIn.begin(sessions?.placesOf(allSessionTokens(request)) ?? []);
    setPendingCookie(response, sealed, signIn.isSecure);
    response.redirect(303, url.href);
  },
});

/** Where Entra ID sends the browser back to, with a code or with the reason why there is none. */
export const endEntraSignIn = defineBrowserRoute({
  method: 'get',
  path: callbackPath,
  async handle({ request, response }, deps: ServiceDependencies) {
    const signIn = offered(deps.entraSignIn);
    const result = await finish(signIn, request, deps);
    // A code is good once, and so is what belongs to it; what does not belong to it leaves it as it is.
    if (result.kind === 'signed-in' || result.refusal.code !== 'wrong_state')
      clearPendingCookie(response, signIn.isSecure);
    const refusal = result.kind === 'refused' ? result.refusal : await openSession(result, response, deps);
    if (refusal) refuse(response, refusal);
    else response.redirect(303, '/');
  },
});

/** What is refused counts with the wrong credentials of an address, each time anew: it costs a question to Entra ID. */
async function finish(
  signIn: EntraSignIn,
  request: Request,
  { failedCredentials }: ServiceDependencies,
): Promise<SignInResult> {
  const answer = new URL(request.originalUrl, 'http://localhost').searchParams;
  const trial = failedCredentials.begin(clientAddress(request), randomUUID());
  if ('refusedForMs' in trial) return { kind: 'refused', refusal: { code: 'too_many' } };
  let isWrong = false;
  try {
    const result = await signIn.finish(
      answer,
      pendingCookie(request, signIn.isSecure),
      clientAddress(request),
    );
    // For some codes Entra ID blames the application.
    isWrong = result.kind === 'refused' && ['refused', 'misconfigured'].includes(result.refusal.code);
    return result;
  } finally {
    if (isWrong) trial.wrong();
    else trial.undecided();
  }
}

/** Gives the browser the session of the person. Why it has none, otherwise. */
async function openSession(
  { person, replaced }: SignedIn,
  response: Response,
  { sessions, limitRate, entraSignIn }: ServiceDependencies,
): Promise<SignInRefusal | undefined> {
  if (!sessions || !entraSignIn) throw new Error('people sign in only where there are sessions');
  try {
    contextOf(response).identified = sessions.callerOf(person);
    if (limitRate) await passed(limitRate, response.req, response);
    const { token, endsAtMs } = await sessions.openForPerson(person);
    await sessions.endPlaces(replaced);
    setSessionCookie(response, token, endsAtMs - Date.now(), entraSignIn.isSecure);
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'rate_limited') return { code: 'too_many' };
    if (isRedisTrouble(error)) return { code: 'store_unavailable' };
    throw error;
  }
}

/** @throws ProblemError where people sign in by API key alone */
function offered(signIn: EntraSignIn | undefined): EntraSignIn {
  if (!signIn) throw new ProblemError('route_not_found');
  return signIn;
}

/** Leads to the page, which says in words why there is no session. */
function refuse(response: Response, { code, detail }: SignInRefusal): void {
  const { log } = contextOf(response);
  const level = code === 'misconfigured' || code === 'unavailable' ? 'warn' : 'info';
  log.write(level, { reason: code, detail }, 'sign-in with Entra ID refused');
  response.redirect(303, `/?sign-in-error=${code}`);
}
