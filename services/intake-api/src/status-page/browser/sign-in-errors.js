/**
 * Why signing in with Entra ID did not work, by what stands in the address.
 *
 * @type {Record<import('../../auth/sign-in-refusal.ts').SignInError, string>}
 */
const words = {
  cancelled: 'Signing in with Entra ID was cancelled.',
  consent_missing:
    'Your directory has not agreed yet that this application sees who signs in. Ask an administrator of Entra ID for consent.',
  no_role:
    'You are known to Entra ID, but have no role here with which one may look. The roles are Investigations.Read (look), Investigations.Admin (look and act) and Investigations.Submit (ask for investigations; not enough alone). Ask an administrator of Entra ID for one.',
  expired:
    'Signing in took too long, was begun in another browser or under another address of this service, or the browser keeps no cookies. Try again.',
  wrong_state: 'The answer does not belong to the sign-in that was begun last. Try again.',
  refused: 'Entra ID did not confirm the sign-in. Try again.',
  misconfigured:
    'Entra ID does not accept this application. Its operators find the reason in the log of the intake.',
  unavailable: 'Entra ID does not answer at the moment. Try again soon.',
  store_unavailable: 'The service cannot keep a session at the moment. Try again soon.',
  too_many: 'Too many attempts. Wait a minute.',
  foreign_page: 'Signing in begins on this page. Another page led there.',
};

/**
 * Takes the reason out of the address, so that it is not said again.
 *
 * @returns {string} '' where there is none
 */
export function takeSignInError() {
  const url = new URL(location.href);
  const code = url.searchParams.get('sign-in-error');
  if (code === null) return '';
  url.searchParams.delete('sign-in-error');
  history.replaceState(null, '', url);
  const known = Object.hasOwn(words, code) ? words[/** @type {keyof typeof words} */ (code)] : undefined;
  return known ?? 'Signing in with Entra ID did not work. Try again.';
}
