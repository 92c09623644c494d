import { httpsUrl } from '@diq/runtime/settings/setting-kinds.ts';

/**
 * The address that tokens will be sent to: https, or http on this machine alone.
 *
 * @throws RangeError without repeating the address, which may carry a password
 */
export function parseBaseUrl(baseUrl: string) {
  const checked = httpsUrl().safeParse(baseUrl);
  if (!checked.success) throw new RangeError(`base URL: ${checked.error.issues[0]?.message}`);
  const { origin, pathname } = new URL(checked.data);
  return {
    /** Scheme, host and port. */
    origin,
    /** What comes before the operation's path; empty or beginning with a slash, never ending with one. */
    pathPrefix: pathname === '/' ? '' : pathname,
  };
}
