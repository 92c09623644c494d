import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';

/** Why a person was not signed in, as it stands in the address of the page, which says it in words. */
export const signInErrors = [
  /** The person gave up, or did not agree. */
  'cancelled',
  /** The directory asks for a consent that is not there yet. */
  'consent_missing',
  /** The person has no role that may look. */
  'no_role',
  /** What is pending is over, or of another browser. */
  'expired',
  /** The answer does not belong to what is pending. */
  'wrong_state',
  /** Entra ID takes the code no more, or its token is not good. */
  'refused',
  /** Entra ID does not take this application: its id, secret or redirect URI. */
  'misconfigured',
  /** Entra ID does not answer in time. */
  'unavailable',
  /** Redis does not. */
  'store_unavailable',
  'too_many',
  /** Another site's page led here. */
  'foreign_page',
] as const;

export type SignInError = (typeof signInErrors)[number];

/** `detail` is for the log: words and numbers of the protocol alone, never what is secret in it. */
export interface SignInRefusal {
  code: SignInError;
  detail?: string | undefined;
}

/** AADSTS numbers with which Entra ID says that a consent is missing, of the person or an administrator. */
const consentNumbers = /^AADSTS(?:65001|90094|90095|900941)\b/;
const consentErrors = ['consent_required', 'interaction_required'];
const applicationErrors = ['invalid_client', 'unauthorized_client', 'invalid_request', 'invalid_scope'];
const awayErrors = ['temporarily_unavailable', 'server_error'];
/** What the library says of an answer that is none of Entra's: something else answered, or nothing. */
const awayCodes = [
  'OAUTH_PARSE_ERROR',
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
];

/** What an error of `openid-client` means. @throws the error itself where it is none of Entra's or of the way there */
export function refusalOf(error: unknown): SignInRefusal {
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) {
    return { code: codeOf(error.error, error.error_description), detail: describe(error) };
  }
  if (error instanceof ClientError) {
    const isAway = error.code === undefined || awayCodes.includes(error.code);
    return { code: isAway ? 'unavailable' : 'refused', detail: error.code ?? codeOfCause(error.cause) };
  }
  // `fetch` says so of every connection that does not come about.
  if (error instanceof TypeError && error.cause !== undefined) {
    return { code: 'unavailable', detail: codeOfCause(error.cause) };
  }
  throw error;
}

function codeOf(error: string, description = ''): SignInError {
  if (consentErrors.includes(error) || consentNumbers.test(description)) return 'consent_missing';
  if (error === 'access_denied') return 'cancelled';
  if (applicationErrors.includes(error)) return 'misconfigured';
  return awayErrors.includes(error) ? 'unavailable' : 'refused';
}

/** `invalid_client AADSTS7000215`: the description goes on with what was sent. */
function describe({
  error,
  error_description: description = '',
}: ResponseBodyError | AuthorizationResponseError) {
  const word = /^[a-z_]{1,50}$/.test(error) ? error : 'another error';
  return [word, /^AADSTS\d{1,10}/.exec(description)?.[0]].filter((part) => part !== undefined).join(' ');
}

function codeOfCause(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
}
