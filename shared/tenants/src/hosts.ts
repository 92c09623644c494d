import { httpsUrl } from '@diq/runtime/settings/setting-kinds.ts';

/** Where tokens are asked for: an origin. */
export function authorityHost() {
  return httpsUrl().refine(isHttpsOrigin, 'not an origin (expected https and a host, without a path)');
}

/** Where Defender is called. With `/api` twice in its path every call would be answered 404, as if no machine were known. */
export function defenderBaseUrl() {
  return httpsUrl().refine(
    isBaseOfApi,
    'names a part of the API (expected what stands before /api/machines, as a rule the host)',
  );
}

function isHttpsOrigin(url: string): boolean {
  return url.startsWith('https:') && new URL(url).pathname === '/';
}

function isBaseOfApi(url: string): boolean {
  return !/\/(api|machines|v\d+(\.\d+)?)(\/|$)/i.test(new URL(url).pathname);
}
