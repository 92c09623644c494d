import assert from 'node:assert/strict';
import type { IntakeUnderTest } from '@diq/intake-api/test-support/intake-under-test.ts';
import type { EntraInUse, PersonName } from './use-entra.ts';

/** What a browser sends and keeps; names with their values. */
export type Cookies = Record<string, string>;

export interface Answer {
  /** Where it leads. */
  location: string;
  /** What it sets, whole. */
  set: string[];
  /** What is left of it to be sent. */
  cookies: Cookies;
}

export const sentAs = (cookies: Cookies) =>
  Object.entries(cookies)
    .map((pair) => pair.join('='))
    .join('; ');

/** What a browser does that signs in to an intake with Entra ID, but for cookies that it would send by itself. */
export function entraVisits(entra: EntraInUse, intake: IntakeUnderTest) {
  async function visit(
    path: string,
    cookies: Cookies = {},
    headers: Record<string, string> = {},
    at = intake,
  ) {
    const asked = at
      .anonymously()
      .get(path)
      .set({ Cookie: sentAs(cookies), ...headers });
    const response = await asked.expect(303);
    assert.equal(response.headers['cache-control'], 'no-store');
    const set = (response.headers['set-cookie'] ?? []) as unknown as string[];
    const pairs = set.map((one) => one.split(';')[0]?.split('=') ?? []);
    const answer: Answer = {
      location: response.headers['location'] ?? '',
      set,
      cookies: Object.fromEntries(pairs.filter(([, value]) => value !== '')) as Cookies,
    };
    return answer;
  }

  const begin = (cookies: Cookies = {}) => visit('/session/entra', cookies);
  const back = (url: URL) => url.pathname + url.search;

  /** The whole way, up to where the browser is sent at its end. */
  async function signInAs(person: PersonName | 'cancel', cookies: Cookies = {}): Promise<Answer> {
    const begun = await begin(cookies);
    const returned = await entra.goTo(begun.location, person);
    return visit(back(returned), begun.cookies);
  }

  return { visit, begin, back, signInAs };
}
