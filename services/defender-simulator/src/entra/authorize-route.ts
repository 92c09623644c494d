import type { Request, Response } from 'express';
import type { Clock } from '../clock.ts';
import { entraErrorReply, type EntraErrorCode } from './entra-errors.ts';
import type { SignInSetup } from './sign-in-setup.ts';
import type { SignIns } from './sign-ins.ts';

export interface AuthorizeDeps {
  clock: Clock;
  settings: { tenantId: string };
  signIns: SignIns;
}

interface Asked {
  tenant: string;
  clientId: string;
  redirectUri: string;
  scope: string;
  field(name: string): string | undefined;
}

/**
 * The page on which a person says who they are, each a link; following one is what typing a password is elsewhere.
 * The application that sent the person is answered at a redirect URI of the application alone, and by this page for every other.
 */
export function answerAuthorizeRequest(
  { clock, settings, signIns }: AuthorizeDeps,
  req: Request,
  res: Response,
): void {
  const asked = askedBy(req);
  const setup = signIns.setup();
  const describe = (code: EntraErrorCode) => {
    const reply = entraErrorReply(code, { ...asked, wallMs: clock.wallMs() });
    return (JSON.parse(reply.body) as { error_description: string }).error_description;
  };
  const unusable = refusalOnPage(asked, setup, settings.tenantId);
  if (setup === undefined || unusable !== undefined) {
    return sendPage(res, 400, `<p>${escaped(describe(unusable ?? 'AADSTS700016'))}</p>`);
  }

  const sendBack = (answer: Record<string, string>) => {
    const target = new URL(asked.redirectUri);
    const state = asked.field('state');
    for (const [name, value] of Object.entries({ ...answer, ...(state === undefined ? {} : { state }) }))
      target.searchParams.set(name, value);
    res.set('Cache-Control', 'no-store, no-cache').redirect(302, target.href);
  };
  const refuse = (error: string, code: EntraErrorCode) =>
    sendBack({ error, error_description: describe(code) });

  const faulty = faultOf(asked, setup);
  if (faulty !== undefined) return refuse('invalid_request', faulty);
  const chosen = asked.field('person');
  if (asked.field('cancel') !== undefined) return refuse('access_denied', 'AADSTS65004');
  if (chosen === undefined) return sendPage(res, 200, choice(req, setup));
  const person = setup.people.find(({ username }) => username === chosen);
  if (person === undefined) return sendPage(res, 400, `<p>${escaped(describe('AADSTS50034'))}</p>`);
  if (!person.consents) return refuse('access_denied', 'AADSTS65004');
  sendBack({
    code: signIns.giveCode(person, {
      redirectUri: asked.redirectUri,
      nonce: asked.field('nonce'),
      codeChallenge: asked.field('code_challenge'),
    }),
    session_state: '00000000-0000-0000-0000-000000000000',
  });
}

function askedBy(req: Request): Asked {
  const field = (name: string) => {
    const value = req.query[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    tenant: String(req.params['tenant']),
    clientId: field('client_id') ?? '',
    redirectUri: field('redirect_uri') ?? '',
    scope: field('scope') ?? '',
    field,
  };
}

/** For these no redirect URI is known to be the application's. */
function refusalOnPage(
  { tenant, clientId, redirectUri }: Asked,
  setup: SignInSetup | undefined,
  tenantId: string,
): EntraErrorCode | undefined {
  if (tenant.toLowerCase() !== tenantId.toLowerCase()) return 'AADSTS90002';
  if (clientId.toLowerCase() !== setup?.clientId.toLowerCase()) return 'AADSTS700016';
  return setup.redirectUris.includes(redirectUri) ? undefined : 'AADSTS50011';
}

function faultOf({ scope, field }: Asked, { clientSecret }: SignInSetup): EntraErrorCode | undefined {
  if (field('response_type') !== 'code' || !scope.split(' ').includes('openid')) return 'AADSTS900144';
  if ((field('response_mode') ?? 'query') !== 'query') return 'AADSTS900144';
  const challenge = field('code_challenge');
  if (challenge === undefined) return clientSecret === undefined ? 'AADSTS9002325' : undefined;
  return field('code_challenge_method') === 'S256' ? undefined : 'AADSTS501491';
}

function choice(req: Request, { people }: SignInSetup): string {
  const link = (name: string, value: string, text: string) => {
    const target = new URL(req.originalUrl, 'https://localhost');
    target.searchParams.set(name, value);
    return `<li><a href="${escaped(target.pathname + target.search)}">${escaped(text)}</a></li>`;
  };
  const links = people.map(({ username }) => link('person', username, username));
  return `<h1>Pick an account</h1><ul>${links.join('')}${link('cancel', 'true', 'Cancel')}</ul>`;
}

function sendPage(res: Response, status: number, content: string): void {
  res
    .status(status)
    .set({ 'Cache-Control': 'no-store, no-cache', 'Content-Security-Policy': "default-src 'none'" })
    .type('html')
    .send(`<!doctype html><html lang="en"><title>Sign in to the simulator</title>${content}</html>`);
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
