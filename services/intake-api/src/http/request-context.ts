import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { traceIdOf, type TraceContext } from '@diq/contracts/trace-context.ts';
import type { SourceBound } from '@diq/queue/admission/backlog-reservation.ts';
import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import { freshIds, type RequestIds } from '@diq/queue/admission/request-ids.ts';
import type { Actor } from '@diq/queue/operations/audit-log.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import { scopeByRisk, type Caller, type Scope } from '../config/callers.ts';
import { ProblemError } from './problem-error.ts';

type About = Readonly<Record<string, unknown>>;

/** What a POST is recorded under. A repeat with the same Idempotency-Key gets the time and the ids of the first. */
export interface Submission {
  nowMs: number;
  ids: RequestIds;
  /** Some of it may have been recorded before. */
  isRepeat: boolean;
}

/** The queue that a request is about, and how the request names it. */
export interface ChosenQueue {
  readonly queue: Pick<Queue, 'tenant' | 'operation' | 'tag'>;
  /** The routes of its tenant: `/v1`, or `/v1/tenants/<name>` where the request names the tenant. */
  readonly prefix: string;
  /** Where the request names the operation. */
  readonly operation: string | undefined;
  /** False where its tenant or operation was taken out of the settings: nothing new is accepted. */
  readonly isAccepting: boolean;
  readonly idempotency: IdempotencyStore;
  /** What handlers work with. */
  readonly parts: object;
}

/** What is known of one HTTP request. It is made first of all; each step that finds something out adds it. */
export class RequestContext {
  readonly httpRequestId: string;
  /** Who is calling; `undefined` before that was found out, and where no credential is needed. */
  identified: Caller | undefined;
  /** For an answer that goes on: whether the session goes on by which the caller was let in; `undefined` without one. */
  isSignedIn: (() => Promise<boolean>) | undefined;
  /** The trace that the request belongs to, and the step of it that this service is. */
  trace: TraceContext | undefined;
  /** What it submits has this source, of which so many may wait; `undefined`: any that it names. */
  ofSource: SourceBound | undefined;
  /** How long an answer without an end lasts is no duration of a request. */
  isStream = false;
  readonly log: RequestLog;
  #submission: Submission | undefined;
  #chosen: ChosenQueue | undefined;

  constructor(httpRequestId: string, logger: Logger) {
    this.httpRequestId = httpRequestId;
    this.log = new RequestLog(this, logger);
  }

  /** Who is calling. @throws where the route needs no credential */
  get caller(): Caller {
    if (!this.identified) throw new Error('no caller was identified in front of this route');
    return this.identified;
  }

  /** Who acts, by the name of the credential, and why. */
  actor(reason: string | undefined): Actor {
    const { name, displayName } = this.caller;
    return { name, displayName, reason };
  }

  /** The queue that the request is about, once it was chosen. */
  get queue(): ChosenQueue['queue'] | undefined {
    return this.#chosen?.queue;
  }

  /** The same, and how the request names it. @throws where none was chosen */
  get chosen(): ChosenQueue {
    if (!this.#chosen) throw new Error('no queue was chosen in front of this route');
    return this.#chosen;
  }

  set chosen(chosen: ChosenQueue) {
    this.#chosen = chosen;
  }

  /** What an Idempotency-Key stands for, or a new one. */
  get submission(): Submission {
    const fresh = () => ({ nowMs: Date.now(), ids: freshIds(this.chosen.queue.tag), isRepeat: false });
    return (this.#submission ??= fresh());
  }

  set submission(submission: Submission) {
    this.#submission = submission;
  }
}

/**
 * The log of one request: its lines carry the request's id, and its trace's where there is one. No child of the logger:
 * making one costs as much as all else that is done for a short answer.
 */
export class RequestLog {
  readonly #context: RequestContext;
  readonly #logger: Logger;

  constructor(context: RequestContext, logger: Logger) {
    this.#context = context;
    this.#logger = logger;
  }

  get isDebugging(): boolean {
    return this.#logger.isLevelEnabled('debug');
  }

  debug(about: About, message: string): void {
    this.write('debug', about, message);
  }

  info(about: About, message: string): void {
    this.write('info', about, message);
  }

  warn(about: About, message: string): void {
    this.write('warn', about, message);
  }

  error(about: About, message: string): void {
    this.write('error', about, message);
  }

  write(level: 'debug' | 'info' | 'warn' | 'error', about: About, message: string): void {
    if (!this.#logger.isLevelEnabled(level)) return;
    const { httpRequestId, trace, queue } = this.#context;
    const { tenant, operation } = queue ?? {};
    const traceId = trace && traceIdOf(trace);
    this.#logger[level]({ httpRequestId, traceId, tenant, operation, ...about }, message);
  }
}

const acceptablePattern = /^[A-Za-z0-9._-]{1,128}$/;

/** Begins a context. Its id is the caller's `X-Request-Id` if it is safe in a log line, else a new one; the response returns it. */
export function beginContext(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const offered = request.get('X-Request-Id');
    const id = offered !== undefined && acceptablePattern.test(offered) ? offered : randomUUID();
    response.locals['context'] = new RequestContext(id, logger);
    response.set('X-Request-Id', id);
    next();
  };
}

export function contextOf(response: Response): RequestContext {
  return response.locals['context'] as RequestContext;
}

/** `1.2.3.4:443` and `[2001:db8::1]:443`, as some load balancers write it. */
const withPort = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/i;

/**
 * The address that a request came from: that of the connection, or what the proxies said that are trusted
 * (INTAKE_TRUSTED_PROXIES). What they passed on is the caller's own word, so it counts only where it is an address.
 * `''` once the connection is gone.
 */
export function clientAddress(request: Request): string {
  const given = request.ip ?? '';
  if (isIP(given) !== 0) return given;
  const [, six, four] = withPort.exec(given.slice(0, 64)) ?? [];
  const address = six ?? four ?? '';
  return isIP(address) !== 0 ? address : (request.socket.remoteAddress ?? '');
}

/** @throws ProblemError 403 for a caller whose credential does not include the scope. */
export function requireScope(context: RequestContext, scope: Scope): void {
  const held = context.identified?.scopes;
  // Which of them it must be follows from the operation, see `requireRiskScope`.
  if (scope === 'submit' && Object.values(scopeByRisk).some((one) => held?.has(one))) return;
  requireExactly(context, scope);
}

/** @throws ProblemError 403 for a caller that may not ask for what this queue's operation does to a machine */
export function requireRiskScope(context: RequestContext): void {
  requireExactly(context, scopeToAskFor(context.chosen.queue.operation));
}

/** The scope with which this operation can be asked for. */
export function scopeToAskFor(operation: OperationName): Scope {
  return scopeByRisk[profileOf(operation).risk];
}

/** Keeps what was collected from machines off screens that many can reach. */
export function refuseWhereOnlyLooking({ identified }: RequestContext): void {
  if (!identified?.onlyLooks) return;
  throw new ProblemError('forbidden', {
    detail: 'This session was opened for a screen (kiosk): files take a session of a person, or a key.',
    headers: { 'WWW-Authenticate': challenge('error="insufficient_scope"') },
  });
}

function requireExactly(context: RequestContext, scope: Scope): void {
  if (context.identified?.scopes.has(scope)) return;
  throw new ProblemError('forbidden', {
    detail: `The credential lacks the scope '${scope}'.`,
    headers: insufficientScope(scope),
  });
}

/** The header that says which scope would do. */
export function insufficientScope(scope: Scope): Record<string, string> {
  return { 'WWW-Authenticate': challenge(`error="insufficient_scope", scope="${scope}"`) };
}

/** The value of `WWW-Authenticate`. */
export function challenge(error?: string): string {
  return `Bearer realm="investigations"${error === undefined ? '' : `, ${error}`}`;
}
