import { maxCallbackUrlLength } from '@diq/contracts/callback-state.ts';
import { parseUrl } from '@diq/runtime/settings/setting-kinds.ts';
import { receiverOf } from '../config/allowed-hosts.ts';
import type { CallbackSettings } from '../config/config.ts';

/** Tells why a URL may not be called, continuing a sentence that begins with the field's name; else `undefined`. */
export type CallbackRule = (url: string) => string | undefined;

type RuleSettings = Pick<CallbackSettings, 'allowedHosts' | 'allowHttp'>;

/** Without settings every URL is refused. Where its name leads is checked when it is called. */
export function createCallbackRule(settings: RuleSettings | undefined): CallbackRule {
  if (!settings) return () => 'is not accepted: callbacks are not set up here';
  return (text) => {
    if (text.length > maxCallbackUrlLength) return `must have at most ${maxCallbackUrlLength} characters`;
    const url = parseUrl(text);
    // Line ends and blanks that URL parsers drop have no place in what is stored and called later.
    if (!url || !/^https?:\/\/[^\s\\]+$/i.test(text)) return 'must be an absolute https URL';
    if (url.protocol !== 'https:' && !settings.allowHttp) return 'must be an https URL';
    if (url.username !== '' || url.password !== '') return 'must not hold a user name or password';
    if (text.includes('#')) return 'must not have a fragment';
    if (receiverOf(url, settings.allowedHosts) === undefined)
      return 'must lead to a host, port and path that are allowed here';
    return undefined;
  };
}
