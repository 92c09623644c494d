import { errorReply } from './defender-reply.ts';
import type { Reply } from '../reply.ts';

/** Ways in which Defender might say that the call is no longer offered. None is published; all are conceivable. */
export const retiredForms = ['gone', 'not-found', 'disabled', 'bad-request'] as const;

/** Ways in which something else than Defender's API answers, or a route of it that does not exist. */
export const unusableForms = [
  'no-route',
  'page-400',
  'page-403',
  'page-404',
  'page-431',
  'redirect',
  'no-method',
  'unknown-code',
] as const;

const retired: Record<(typeof retiredForms)[number], () => Reply> = {
  gone: () => ({ status: 410, headers: { 'Content-Length': '0' }, body: '' }),
  'not-found': () => errorReply(404, 'NotFound', 'The API InitiateInvestigation is no longer available.'),
  disabled: () => errorReply(403, 'DisabledFeature', 'This feature has been retired.'),
  'bad-request': () =>
    errorReply(400, 'BadRequest', 'Automated investigation can no longer be started on a device.'),
};

const unusable: Record<(typeof unusableForms)[number], () => Reply> = {
  'no-route': () => errorReply(404, 'NotFound', 'No HTTP resource was found that matches the request URI.'),
  'page-400': () => page(400, 'Bad Request - Request Too Long'),
  'page-403': () => page(403, 'Access denied'),
  'page-404': () => page(404, 'Not Found'),
  'page-431': () => page(431, 'Request Header Fields Too Large'),
  redirect: () => page(302, 'Object moved', { Location: 'https://security.microsoft.com/' }),
  'no-method': () => ({ status: 405, headers: { Allow: 'GET', 'Content-Length': '0' }, body: '' }),
  'unknown-code': () => errorReply(400, 'SomethingNobodyDocumented', 'No further words.'),
};

/** The call is refused as no longer offered; nothing is started. */
export function retiredReply(form: (typeof retiredForms)[number]): Reply {
  return retired[form]();
}

/** What a gateway, or a route that does not exist, answers; nothing is started. */
export function unusableReply(form: (typeof unusableForms)[number]): Reply {
  return unusable[form]();
}

function page(status: number, title: string, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'Content-Type': 'text/html; charset=us-ascii', ...headers },
    body: `<html><head><title>${title}</title></head><body><h2>${title}</h2><hr><p>gateway</p></body></html>`,
  };
}
