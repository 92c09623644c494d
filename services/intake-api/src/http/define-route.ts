import type { Request, RequestHandler, Response, Router } from 'express';
import { z } from 'zod';
import { operationNames } from '@diq/contracts/operations.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { createStrictRouter } from '@diq/runtime/http-server/strict-app.ts';
import type { ErrorCode } from './error-catalogue.ts';
import type { Scope } from '../config/callers.ts';
import type { BodyBudget } from './body-budget.ts';
import { inTurn } from './caller-turns.ts';
import { optionalJson, requireJson, singleBodyLimitBytes } from './middleware/require-json.ts';
import { tenantPrefix } from './middleware/http-metrics.ts';
import { parseOrRefuse } from './parse-or-400.ts';
import { withCorrelation } from './request-filters.ts';
import { ProblemError } from './problem-error.ts';
import { contextOf, requireScope, type RequestContext } from './request-context.ts';

/** Sections of the OpenAPI document, in the order in which they are shown. */
export const tags = ['Requests', 'Batches', 'Quota and queue', 'Operations'] as const;

/**
 * What a route promises, with the very schemas that it validates by. What follows from the fields, such as the problems
 * of everything that takes a body, is added by `problemsOf` and need not be listed.
 */
export interface RouteDefinition {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** As Express has it. */
  path: string;
  /** A name for generated clients. */
  id: string;
  tag: (typeof tags)[number];
  summary: string;
  description?: string;
  /** None where no credential is needed. */
  scope?: Scope;
  /** Whether it is about one queue, which its handler then works with; see `queues/choose-queue.ts`. */
  queue?: QueueUse;
  /** Whether it touches only what its caller asked for; with the scope `admin` also what others did. */
  isOwnOnly?: true;
  query?: z.ZodObject;
  body?: BodyRule & { example: object };
  /** Whether an `Idempotency-Key` has its effect. */
  isIdempotent?: true;
  answers: Readonly<Record<number, DocumentedAnswer>>;
  /** Beside those that follow. */
  problems?: readonly ErrorCode[];
}

/**
 * What names the operation of the queue that a request is about: the id in its path, its query, or the body's root. The
 * tenant is named by the path, by the id, or is the caller's only one.
 */
export type QueueUse = 'id' | 'query' | 'body';

/** By which a request names an operation, in its query or its body. */
export const operationField = z
  .enum(operationNames)
  .optional()
  .describe("Whose queue is meant; without it, that of the tenant's default operation.");

interface BodyRule<Schema extends z.ZodType = z.ZodType> {
  schema: Schema;
  /** No body is an empty one. */
  isOptional?: true;
  /** Default: that of one item. */
  limitBytes?: number;
  /** The handler validates `request.body` by itself, part by part. */
  isReadByHandler?: true;
  /** Whether what was posted is so large that its caller's requests of the kind are handled one after the other. */
  takesTurn?: (posted: unknown) => boolean;
}

export interface DocumentedAnswer {
  description: string;
  /** None where there is no body. */
  schema?: z.ZodType;
  /** Default `application/json`. */
  mediaType?: string;
  headers?: readonly HeaderUse[];
}

/** The name of a header, with a question mark where it is not always there. */
export type HeaderUse = HeaderName | `${HeaderName}?`;

export type HeaderName = keyof typeof headers;

/** Every header that is documented. */
export const headers = {
  'X-Request-Id': 'Of this HTTP request: the one it was sent with, or a new one. It leads to the log.',
  RateLimit: "What is left of the caller's requests per minute. Absent where the operators set no limit.",
  'RateLimit-Policy': "The limit on the caller's requests. Absent where the operators set none.",
  'Retry-After': 'Seconds to wait before asking again.',
  Location:
    'Where to ask on, in the form that answers 202 until the request has ended; of a batch, the batch.',
  'Operation-Location': 'Where to ask on, in the form that always answers 200.',
  'Idempotent-Replayed': '`true` when this is the first answer given again.',
  'WWW-Authenticate': 'How to authenticate, or what the credential lacks.',
  'Accept-Encoding': 'Compressions that are read, where the one of the body is not.',
} as const;

/** One HTTP request as a handler gets it. Query and body are valid. */
interface RouteCall<Query = never, Body = never> {
  /** The `:id` of the path, as it was sent. */
  id: unknown;
  query: Query;
  body: Body;
  context: RequestContext;
  request: Request;
  response: Response;
}

/** What is done for a request, and by what. */
type Served<Deps, Query extends z.ZodObject, Body extends z.ZodType> = Pick<
  RouteDefinition,
  'method' | 'path' | 'scope' | 'queue' | 'isIdempotent'
> & {
  /** What stands in front of everything else. */
  guards?: (deps: Deps) => RequestHandler[];
  query?: Query;
  body?: BodyRule<Body>;
  handle: (call: RouteCall<z.output<Query>, z.output<Body>>, deps: Deps) => void | Promise<void>;
};

/** A route, to be served by what has the `Deps` of its handler. */
export interface Route<in Deps> {
  readonly method: RouteDefinition['method'];
  readonly path: string;
  /** Absent: only browsers ask for it, and the OpenAPI document does not name it. */
  readonly definition?: RouteDefinition;
  /** What a request passes, in this order. None: it is served elsewhere, and only other methods are refused here. */
  readonly steps: (deps: Deps, shared: SharedSteps) => RequestHandler[];
}

/** What routes have in common. */
interface SharedSteps {
  bodyBudget: BodyBudget;
  /** What an `Idempotency-Key` brings about. */
  once: RequestHandler;
  /** Chooses the tenant, before the body is read, and its queue. */
  choose: ChooseQueue;
}

/** See `queues/choose-queue.ts`. */
export interface ChooseQueue {
  tenant: (use: QueueUse) => RequestHandler;
  queue: (use: QueueUse) => RequestHandler;
  /** This one, where what the request names it by was read elsewhere. Resolves to what its handlers work with. */
  exactly: (response: Response, queue: Queue) => Promise<object>;
}

/** Declares a route: what is checked, what is documented and what is done follow from this alone. */
export function defineRoute<Deps, Query extends z.ZodObject = never, Body extends z.ZodType = never>({
  guards,
  handle,
  ...definition
}: Omit<RouteDefinition, 'query' | 'body'> &
  Served<Deps, Query, Body> & { body?: { example: object } }): Route<Deps> {
  const served = { ...definition, handle, ...(guards && { guards }) };
  return { ...defineBrowserRoute<Deps, Query, Body>(served), definition };
}

/** Declares a route that the OpenAPI document does not name. */
export function defineBrowserRoute<Deps, Query extends z.ZodObject = never, Body extends z.ZodType = never>(
  route: Served<Deps, Query, Body>,
): Route<Deps> {
  const { method, path, scope, queue, guards, body, isIdempotent } = route;
  return {
    method,
    path,
    steps: (deps, { bodyBudget, once, choose }) => [
      ...(guards?.(deps) ?? []),
      ...(scope ? [scopeStep(scope)] : []),
      ...(queue ? [choose.tenant(queue)] : []),
      ...(body ? bodySteps(body, bodyBudget) : []),
      ...(queue ? [choose.queue(queue)] : []),
      ...(isIdempotent ? [once] : []),
      handlerStep(route, deps),
    ],
  };
}

/** The same under a path that names the tenant; `undefined` for what is about no queue. */
export function ofTenant(definition: RouteDefinition): RouteDefinition | undefined {
  const { queue, path, id } = definition;
  if (!queue) return undefined;
  return { ...definition, path: `${tenantPrefix}${path.replace(/^\/v1/, '')}`, id: `${id}OfTenant` };
}

const investigations = /^\/v1\/investigations(?=\/|$)/;

/** What is asked of `/v1/investigations` under its name for any operation, `/v1/requests`; `undefined` for the rest. */
export function ofRequests(definition: RouteDefinition): RouteDefinition | undefined {
  const { path, id } = definition;
  if (!investigations.test(path)) return undefined;
  const name = id.includes('Investigation') ? id.replace('Investigation', 'Request') : `${id}OfRequests`;
  return { ...definition, path: path.replace(investigations, '/v1/requests'), id: name };
}

/** The path under which a route was defined that may have been asked for as `/v1/requests`. */
export function nameOfInvestigations(path: string): string {
  return path.replace(/^\/v1\/requests(?=\/|$)/, '/v1/investigations');
}

/** A route under all its names. */
export function formsOf(definition: RouteDefinition): RouteDefinition[] {
  const own = [definition, ofRequests(definition)].filter((one) => one !== undefined);
  return [...own, ...own.flatMap((one) => ofTenant(one) ?? [])];
}

/** Each route under all its names. */
export function inAllForms<Deps>(routes: readonly Route<Deps>[]): Route<Deps>[] {
  return routes.flatMap((route) => {
    if (!route.definition) return [route];
    return formsOf(route.definition).map((definition) => ({ ...route, path: definition.path, definition }));
  });
}

function scopeStep(scope: Scope): RequestHandler {
  return (_request, response, next) => {
    requireScope(contextOf(response), scope);
    next();
  };
}

function bodySteps({ isOptional, limitBytes = singleBodyLimitBytes }: BodyRule, budget: BodyBudget) {
  return isOptional ? optionalJson(limitBytes, budget) : requireJson(limitBytes, budget);
}

function handlerStep<Deps, Query extends z.ZodObject, Body extends z.ZodType>(
  { query, queue, body, handle }: Served<Deps, Query, Body>,
  shared: Deps,
): RequestHandler {
  const bodySchema = body?.isReadByHandler ? undefined : body?.schema;
  return async (request, response) => {
    const call = {
      id: request.params['id'],
      query: (query && parseOrRefuse(query, queryOf(request, queue, query), 'the query')) as z.output<Query>,
      body: (bodySchema && parseOrRefuse(bodySchema, request.body, 'the body')) as z.output<Body>,
      context: contextOf(response),
      request,
      response,
    };
    const deps = queue ? (call.context.chosen.parts as Deps) : shared;
    const act = async () => handle(call, deps);
    if (!body?.takesTurn?.(request.body)) await act();
    else await inTurn(`${call.context.caller.name} large`, response, act);
  };
}

/** As its schema has it, without what names the queue, which is known by now. */
function queryOf(request: Request, use: QueueUse | undefined, schema: z.ZodObject): object {
  const { operation, ...rest } = request.query;
  const own = use === 'query' || operation === undefined ? rest : { ...rest, operation };
  return 'correlation' in schema.shape ? withCorrelation(own) : own;
}

/** Serves routes. A method that a path does not have is answered 405 with those that it has. */
export function createRouter<Deps>(routes: readonly Route<Deps>[], deps: Deps, shared: SharedSteps): Router {
  const router = createStrictRouter();
  const paths = [...new Set(routes.map(({ path }) => path))];
  // `/v1/investigations/cancel` is no id: what is spelt out stands before what has a parameter.
  for (const path of paths.toSorted((a, b) => parametersIn(a) - parametersIn(b))) {
    const ofPath = routes.filter((route) => route.path === path);
    const registered = router.route(path);
    for (const { method, steps } of ofPath) {
      const handlers = steps(deps, shared);
      if (handlers.length > 0) registered[method](...handlers);
    }
    registered.all(refuseOtherMethods(ofPath.map(({ method }) => method)));
  }
  return router;
}

function parametersIn(path: string): number {
  return path.split(':').length;
}

const allowNames = { get: 'GET, HEAD', post: 'POST', patch: 'PATCH', delete: 'DELETE' } as const;

/** Express answers HEAD wherever there is a GET. */
function refuseOtherMethods(offered: readonly RouteDefinition['method'][]): RequestHandler {
  const methods = (Object.keys(allowNames) as RouteDefinition['method'][]).filter((one) =>
    offered.includes(one),
  );
  const allowed = methods.map((method) => allowNames[method]).join(', ');
  return (request) => {
    throw new ProblemError('method_not_allowed', {
      detail: `The route offers ${allowed}, not ${request.method}.`,
      headers: { Allow: allowed },
    });
  };
}
