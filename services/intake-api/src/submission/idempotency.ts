import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import type { IdempotencyState, IdempotentAttempt } from '@diq/queue/admission/idempotency-store.ts';
import { derivedIds } from '@diq/queue/admission/request-ids.ts';
import { inTurn } from '../http/caller-turns.ts';
import { nameOfInvestigations } from '../http/define-route.ts';
import { ProblemError } from '../http/problem-error.ts';
import { mayRead } from '../auth/ownership.ts';
import { forCaller } from './receipt.ts';
import { routeOf } from '../http/middleware/http-metrics.ts';
import { contextOf } from '../http/request-context.ts';
import { bodyDigest } from '../http/middleware/require-json.ts';

export const idempotencyTimes = {
  /** An attempt that is not renewed for so long is taken for dead: its process is, or has lost Redis. */
  leaseMs: 15_000,
  keepMs: 24 * 3_600_000,
};
/** Most attempts are over by then. */
const inFlightRetryAfterSeconds = 5;
/** An answer that cannot be packed into this is not kept: a repeat then records nothing and is answered alike. */
const maxStoredBytes = 2 * 1_024 * 1_024;
/** Packed, which may be a fiftieth; a larger answer takes its caller's turn. */
const smallAnswerBytes = 2 * 1_024;
/** How long an answer waits for its key to be free again; where Redis is away that goes on behind it. */
const releaseWithinMs = 200;

const keptHeaders = ['Location', 'Operation-Location', 'Retry-After'] as const;

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header). The same key of the same caller on the same route gives
 * the first answer again for 24 h; an attempt that broke off is completed under the ids that it had begun with. Stands
 * behind the body's reader and before the handler, whose answer it keeps.
 */
export function idempotent(closing: AbortSignal): RequestHandler {
  // One listener for each key that is to be free again, while Redis is away.
  setMaxListeners(0, closing);
  return async (request, response, next) => {
    const key = presentedKey(request);
    // A dry run records nothing that could be doubled, and the real one may follow under the same key.
    if (key === undefined || isDryRun(request)) return next();
    const context = contextOf(response);
    const caller = context.caller.name;
    const { idempotency: store, queue } = context.chosen;
    const attempt = store.attempt(digestOf([caller, canonicalRouteOf(request), key]), caller);
    const attempted = { attempt, leaseMs: store.times.leaseMs, closing };
    const state = await claim(request, attempted);
    switch (state.kind) {
      case 'reused':
        throw new ProblemError('idempotency_key_reused', {
          detail: 'The key was used within the last 24 h for a request with another body or query.',
        });
      case 'in-flight':
        throw new ProblemError('idempotency_in_flight', {
          detail: 'Repeat the request after the time in Retry-After to get its answer.',
          headers: { 'Retry-After': String(inFlightRetryAfterSeconds) },
        });
      case 'answered': {
        const { answer } = state;
        const replay = () => giveAgain(response, answer);
        if (answer.length <= smallAnswerBytes) await replay();
        else await inTurn(`${caller} large`, response, replay);
        return undefined;
      }
      case 'claimed': {
        const { atMs, seed, isRepeat } = state;
        context.submission = { nowMs: atMs, ids: derivedIds(seed, atMs, queue.tag), isRepeat };
        keepAnswer(response, { ...attempted, isRepeat });
        return next();
      }
      default:
        return state satisfies never;
    }
  };
}

async function giveAgain(response: Response, answer: Buffer): Promise<void> {
  const context = contextOf(response);
  const unpacked = await expand(answer);
  const { status, headers, body } = storedAnswer.parse(JSON.parse(unpacked.toString()));
  response.status(status).set(headers).set('Idempotent-Replayed', 'true');
  // The caller may have lost the scope `read` since.
  const seen = mayRead(context) ? body : JSON.stringify(forCaller(context, JSON.parse(body) as object));
  response.type('application/json').send(seen);
}

/** Bare, as most clients send it, or as the draft's quoted string: the same key either way. */
function presentedKey(request: Request): string | undefined {
  const [sent, ...others] = request.headersDistinct['idempotency-key'] ?? [];
  if (sent === undefined) return undefined;
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(sent)?.[1];
  const key = quoted === undefined ? sent : quoted.replaceAll(/\\(.)/g, '$1');
  if (others.length === 0 && /^[\x20-\x7e]{1,255}$/.test(key)) return key;
  const message = 'must be given once and have 1 to 255 printable ASCII characters';
  throw new ProblemError('invalid_request', {
    detail: `The header Idempotency-Key ${message}.`,
    errors: [{ path: 'Idempotency-Key', message }],
  });
}

function isDryRun(request: Request): boolean {
  const { dryRun } = request.query;
  return dryRun !== undefined && dryRun !== 'false';
}

/** The route with its parameters in it, as the ids are given out: the same however, and under whichever name, it was asked for. */
function canonicalRouteOf(request: Request): string {
  return nameOfInvestigations(routeOf(request)).replaceAll(/:(\w+)/g, (_, name: string) =>
    String(request.params[name]).toLowerCase(),
  );
}

/** What a wish for no dry run says is what nothing says. */
function canonicalQueryOf({ originalUrl }: Request): string {
  const query = new URLSearchParams(/\?.*$/s.exec(originalUrl)?.[0]);
  query.delete('dryRun');
  query.sort();
  return query.toString();
}

interface AttemptContext {
  attempt: IdempotentAttempt;
  leaseMs: number;
  closing: AbortSignal;
}

async function claim(request: Request, context: AttemptContext): Promise<IdempotencyState> {
  try {
    return await context.attempt.claim(
      digestOf([canonicalQueryOf(request), bodyDigest(request) ?? '']),
      Date.now(),
    );
  } catch (error) {
    // It may have been taken, and only the answer was lost.
    void release(context);
    throw error;
  }
}

function digestOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

type Claimed = AttemptContext & { isRepeat: boolean };

/** Lets the handler's answer out when it was seen to what becomes of the key, and keeps the claim alive until then. */
function keepAnswer(response: Response, claimed: Claimed): void {
  const renewal = setInterval(() => {
    claimed.attempt
      .renew()
      .catch((error: unknown) =>
        contextOf(response).log.debug({ err: error }, 'idempotency lease not renewed'),
      );
  }, claimed.leaseMs / 3);
  const send = response.json.bind(response);
  response.json = (body: unknown) => {
    response.json = send;
    clearInterval(renewal);
    deliver(response, JSON.stringify(body), claimed).catch((error: unknown) => {
      contextOf(response).log.error({ err: error }, 'response could not be sent');
    });
    return response;
  };
}

async function deliver(response: Response, body: string, claimed: Claimed): Promise<void> {
  try {
    await conclude(response, body, claimed);
  } catch (error) {
    contextOf(response).log.warn({ err: error }, 'response for an idempotency key could not be stored');
    await releaseSoon(claimed);
  }
  // That of a problem is set.
  if (response.get('Content-Type') === undefined) response.type('application/json');
  response.send(body);
}

async function conclude(response: Response, body: string, claimed: Claimed): Promise<void> {
  const { statusCode: status } = response;
  const { attempt, isRepeat } = claimed;
  if (status < 300) {
    const headers = Object.fromEntries(
      keptHeaders.flatMap((name) => {
        const value = response.get(name);
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const answer: z.output<typeof storedAnswer> = { status, headers, body };
    // That of a batch of 10,000 is 1.2 MB of JSON and some 350 KB packed, small beside the batch itself.
    const packed = await compress(JSON.stringify(answer), { level: constants.Z_BEST_SPEED });
    await (packed.length <= maxStoredBytes ? attempt.store(packed) : attempt.release());
  } else if (isRefusal(status, body) && !isRepeat) {
    await attempt.forget();
  } else {
    await releaseSoon(claimed);
  }
}

/** Whether nothing was recorded, and nothing will be by this attempt. */
function isRefusal(status: number, body: string): boolean {
  return (
    status < 500 ||
    z.object({ code: z.enum(['backlog_full', 'redis_full']) }).safeParse(JSON.parse(body)).success
  );
}

/** The answer does not wait for Redis to come back. */
async function releaseSoon(claimed: Claimed): Promise<void> {
  await Promise.race([release(claimed), delay(releaseWithinMs)]);
}

/** Until Redis is back, or the claim has ended by itself. */
async function release({ attempt, leaseMs, closing }: AttemptContext): Promise<void> {
  const endMs = performance.now() + leaseMs;
  while (performance.now() < endMs && !closing.aborted) {
    try {
      await attempt.release();
      return;
    } catch {
      await delay(releaseWithinMs, undefined, { signal: closing, ref: false }).catch(() => undefined);
    }
  }
}

const compress = promisify(gzip);
const expand = promisify(gunzip);

/** An answer as it is given again: the headers that belong to it, and its JSON word for word. */
const storedAnswer = z.strictObject({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});
