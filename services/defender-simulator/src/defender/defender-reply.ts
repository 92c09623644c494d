import { randomUUID } from 'node:crypto';

import type { Reply } from '../reply.ts';

/** A success with the recorded headers: the context first, then the members of the body. */
export function odataReply(status: number, context: string, members: object): Reply {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8',
      'OData-Version': '4.0',
      Vary: 'Accept-Encoding',
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      'mise-correlation-id': randomUUID(),
    },
    body: JSON.stringify({ '@odata.context': context, ...members }),
  };
}

/** A refusal in Defender's form; `target` is a fresh tracking id. */
export function errorReply(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify({ error: { code, message, target: randomUUID() } }),
  };
}

/** The refusal of an application that lacks a role, in the recorded words. */
export function missingRole(required: string, roles: readonly string[]): Reply {
  const message = `Missing application roles. API required roles: ${required}, application roles: ${roles.join(',')}.`;
  return errorReply(403, 'Forbidden', message);
}

const usualCodes: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'ResourceNotFound',
  429: '429',
  500: 'InternalServerError',
};

/** What a reply of this status usually looks like. Successes are empty objects: they are accepted and do nothing. */
export function usualReply(status: number): Reply {
  if (status < 400)
    return { status, headers: { 'Content-Type': 'application/json; charset=utf-8' }, body: '{}' };
  return errorReply(status, usualCodes[status] ?? String(status), `Scripted by the simulator: ${status}`);
}

/** Message of a refused call, in the recorded form: `maximum allowed 1500 per 01:00:00`. */
export function quotaMessage(limit: number, windowMs: number): string {
  return `API calls quota exceeded! maximum allowed ${limit} per ${timeSpan(windowMs)}`;
}

/** As .NET writes a TimeSpan: `01:00:00`, `1.00:00:00`, `00:00:00.5000000`. */
function timeSpan(ms: number): string {
  const days = Math.floor(ms / 86_400_000);
  const time = [(ms / 3_600_000) % 24, (ms / 60_000) % 60, (ms / 1000) % 60].map(twoDigits).join(':');
  const fraction = ms % 1000 === 0 ? '' : `.${String(ms % 1000).padStart(3, '0')}0000`;
  return `${days === 0 ? '' : `${days}.`}${time}${fraction}`;
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0');
}
