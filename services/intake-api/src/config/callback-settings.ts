import type { AllowedHost } from './allowed-hosts.ts';

/** What governs callbacks. There are none without it. */
export interface CallbackSettings {
  allowedHosts: readonly AllowedHost[];
  /** `whsec_…`; a receiver's own are derived from them, and each of those signs. */
  secrets: readonly string[];
  /** Calls to one host, over all intakes. */
  maxPerMinute: number;
  /** Plain http too. */
  allowHttp: boolean;
  /** Also loopback, link-local and private addresses. */
  allowPrivate: boolean;
}
