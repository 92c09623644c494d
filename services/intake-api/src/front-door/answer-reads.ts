import type { RequestHandler, Response } from 'express';
import {
  createReadExchange,
  type ReadAnswer,
  type ReadExchange,
} from '@diq/queue/questions/read-exchange.ts';
import { readablePath } from '@diq/queue/questions/readable-path.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import { contextOf, requireScope } from '../http/request-context.ts';
import { DefenderError } from './answer-as-defender.ts';
import { doorPathOf, doorUrl, throughDoor } from './door-url.ts';
import { askerOf } from './identify-asker.ts';

export type AskDefender = ReturnType<typeof createAskDefender>;

/** Reads of a tenant's Defender, made by a worker: this process has no credentials there. */
export function createAskDefender(redis: RedisConnection) {
  const exchanges = new Map<string, ReadExchange>();
  return async (tenantId: string, path: string): Promise<ReadAnswer> => {
    const exchange = exchanges.get(tenantId) ?? createReadExchange(redis, tenantId);
    exchanges.set(tenantId, exchange);
    return await exchange.ask({ path });
  };
}

/**
 * What a token of ours reads: machines, investigations and machine actions, with the service's own identity and out of its budget
 * of reads. Whatever else goes on to the next route.
 */
export function answerReads(ask: AskDefender): RequestHandler {
  return async (request, response, next) => {
    const path = readablePath(doorPathOf(request.originalUrl), request.query);
    if (path === undefined) return next();
    requireScope(contextOf(response), 'read');
    const answer = await ask(askerOf(response).tenant.tenant.tenantId, path);
    sendReading(answer, response);
    return undefined;
  };
}

function sendReading(answer: ReadAnswer, response: Response): void {
  switch (answer.kind) {
    case 'read':
      response.json(withOwnLinks(answer.body, doorUrl(response.req)));
      return;
    case 'not_found':
      throw new DefenderError(404, 'ResourceNotFound', 'Defender knows nothing of that id.');
    case 'refused':
      throw new DefenderError(
        answer.httpStatus === 403 ? 403 : 400,
        answer.httpStatus === 403 ? 'Forbidden' : 'BadRequest',
        `Defender answered this service with ${answer.httpStatus}.`,
      );
    case 'too_long':
      throw new DefenderError(
        400,
        'BadRequest',
        'The answer is too long: ask for less at a time, with $top.',
      );
    case 'unavailable': {
      const seconds = String(Math.max(1, Math.ceil(answer.retryAfterMs / 1_000)));
      const message =
        'Defender cannot be read at the moment, or the share of its limits for reads is used up.';
      throw new DefenderError(429, 'TooManyRequests', message, { headers: { 'Retry-After': seconds } });
    }
    default:
      answer satisfies never;
  }
}

/** Pages lead on through the front door. */
function withOwnLinks(body: unknown, base: string): unknown {
  if (typeof body !== 'object' || body === null || !('@odata.nextLink' in body)) return body;
  const link = body['@odata.nextLink'];
  const own = typeof link === 'string' ? throughDoor(link, base) : undefined;
  return own === undefined ? body : { ...body, '@odata.nextLink': own };
}
