import { isIP } from 'node:net';
import { hostname as machineName } from 'node:os';
import type { Request, RequestHandler } from 'express';
import { parseUrl } from '@diq/runtime/settings/setting-kinds.ts';
import { ProblemError } from '../http/problem-error.ts';

/**
 * Keeps pages of other sites from making a browser act here. Programs name no origin and are not concerned.
 *
 * @param listed names beside those that are known: every IP address, `localhost` and the machine's own name
 */
export function createOwnSite(listed: readonly string[] = []) {
  const names = new Set(listed.map((host) => new URL(`https://${host}`).hostname));
  const isOwnOrigin = (request: Request, origin: string): boolean => {
    const url = parseUrl(origin);
    if (!url || !/^https?:$/.test(url.protocol)) return false;
    const asked = hostsOf(request).map((host) => parseUrl(`${url.protocol}//${host}`)?.host);
    return [...asked, ...listed].includes(url.host);
  };
  const checkOrigin = (request: Request): void => {
    const { origin } = request.headers;
    if (origin === undefined || !isOwnOrigin(request, origin)) {
      throw new ProblemError('cross_site', { detail: 'The header Origin must name this service.' });
    }
  };
  const checkHost = (request: Request): void => {
    if (!hostsOf(request).every((host) => isOwnName(host, names))) {
      throw new ProblemError('foreign_host', {
        detail: 'Operators list the names of the service in INTAKE_HOST_NAMES.',
      });
    }
  };
  return {
    /** @throws ProblemError as `requireOwnOrigin` refuses */
    checkOrigin,
    /** @throws ProblemError as `requireOwnHost` refuses */
    checkHost,
    /** Refuses what would change something and comes from a page of another site. */
    refuseForeignPages(request, _response, next) {
      const { origin } = request.headers;
      const site = request.get('Sec-Fetch-Site');
      const isForeign =
        (origin !== undefined && !isOwnOrigin(request, origin)) ||
        (site !== undefined && !['same-origin', 'none'].includes(site));
      if (isForeign && !safeMethods.has(request.method)) {
        throw new ProblemError('cross_site', {
          detail: 'A page of another site may change nothing here. Programs send no header Origin.',
        });
      }
      next();
    },
    /** Refuses what does not name its origin, too: for what only the own page asks. */
    requireOwnOrigin(request, _response, next) {
      checkOrigin(request);
      next();
    },
    /**
     * Refuses a `Host` that is no name of this service. A name of an attacker's that leads to this address (DNS rebinding)
     * makes the browser take the attacker's page and this service for one site; then no check of origins helps.
     */
    requireOwnHost(request, _response, next) {
      checkHost(request);
      next();
    },
  } satisfies Record<string, RequestHandler | ((request: Request) => void)>;
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** As it came, and as a trusted proxy says that it was asked. */
function hostsOf(request: Request): string[] {
  // Express has it as undefined where there is none.
  return [request.headers.host, request.host as string | undefined].filter((host) => host !== undefined);
}

/** The port does not matter: a name is the attacker's or it is not. No name leads a browser to an address but its own. */
function isOwnName(host: string, names: ReadonlySet<string>): boolean {
  const hostname = parseUrl(`http://${host}`)?.hostname;
  if (hostname === undefined) return false;
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  const isLoopback = hostname === 'localhost' || hostname.endsWith('.localhost');
  return isAddress || isLoopback || hostname === machineName().toLowerCase() || names.has(hostname);
}
