import type { AllowedHost } from './allowed-hosts.ts';

/** What governs callbacks. There are none without it. */
export interface CallbackSettings {
  allowedHosts: readonly AllowedHost[];
  /** Each signs every callback, `whsec_…`. */
  secrets: readonly string[];
  /** Calls to one host, over all intakes. */
  maxPerMinute: number;
  /** Plain http too. */
  allowHttp: boolean;
  /** Also loopback, link-local and private addresses. */
  allowPrivate: boolean;
}
