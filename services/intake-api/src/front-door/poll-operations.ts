import type { Request, RequestHandler, Response } from 'express';
import { operationNames, profileOf } from '@diq/contracts/operations/index.ts';
import type { ResultKind } from '@diq/contracts/operations/profile.ts';
import { queueTagIn } from '@diq/contracts/queue-tag.ts';
import { isProvisionalNumber } from '@diq/queue/front-door/provisional-ids.ts';
import type { PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import { mayRead, ownerActedFor, refuseUnlessOwn } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { inTurn } from '../http/caller-turns.ts';
import { readPublicId } from '../http/cursor.ts';
import type { ChooseQueue } from '../http/define-route.ts';
import { refuseUnlessDone } from '../http/find-or-404.ts';
import { contextOf, requireScope } from '../http/request-context.ts';
import { queueFor, type QueueDirectory } from '../queues/queue-directory.ts';
import { DefenderError } from './answer-as-defender.ts';
import { contextOfDocument, describeAsDefender } from './defender-documents.ts';
import { mayReadAll } from './defender-roles.ts';
import { doorUrl } from './door-url.ts';
import { askerOf } from './identify-asker.ts';
import { receiptUnlessReader } from './receipt-document.ts';

export interface PollDeps {
  choose: ChooseQueue;
  directory: Pick<QueueDirectory, 'findByTag'>;
}

/** A request that a provisional id leads to, and what its queue works with. */
interface Found {
  /** As it was asked for. */
  id: string;
  needs: Dependencies;
  stored: PlacedRequest;
}

/** `GET …/investigations/{id}` and `…/machineactions/{id}`: what became of a provisional id. Others go on to the next route. */
export function pollOne(kind: ResultKind, deps: PollDeps): RequestHandler {
  return async (request, response, next) => {
    const found = await findProvisional(String(request.params['id']), kind, response, deps);
    if (!found) return next();
    const context = contextOfDocument(doorUrl(request), found.needs.queue.operation);
    response.json({ '@odata.context': context, ...(await describe(found, response)) });
    return undefined;
  };
}

/** How many ids a filter may name. */
const maxIds = 100;
const ids = String.raw`'([^']{1,64})'`;
const oneId = new RegExp(`^id eq ${ids}$`, 'i');
const someIds = new RegExp(String.raw`^id in \(\s*${ids}(?:\s*,\s*'[^']{1,64}'){0,${maxIds - 1}}\s*\)$`, 'i');

/**
 * `GET …/machineactions?$filter=id in ('…', '…')`, as Kibana follows what it asked for: answered where all that are named are
 * provisional. Others go on to the next route. Each id takes some commands of Redis: one filter of a caller is answered at a time.
 */
export function pollSeveral(deps: PollDeps): RequestHandler {
  return async (request, response, next) => {
    const named = [...new Set(idsIn(request))];
    const lookUp = async () => {
      const all = await Promise.all(named.map((id) => findProvisional(id, 'machineAction', response, deps)));
      const found = all.filter((one) => one !== undefined);
      const isAll = found.length === named.length;
      return { found, value: isAll ? await Promise.all(found.map((one) => describe(one, response))) : [] };
    };
    const { found, value } =
      named.length > 1 ? await inTurn(contextOf(response).caller.name, response, lookUp) : await lookUp();
    const [first] = found;
    if (!first) return next();
    if (found.length < named.length)
      throw new DefenderError(
        400,
        'BadRequest',
        'The filter names ids of this service beside others: ask for those in a request of their own.',
      );
    const context = contextOfDocument(doorUrl(request), first.needs.queue.operation, true);
    const isCounted = request.query['$count'] === 'true';
    response.json({
      '@odata.context': context,
      ...(isCounted && { '@odata.count': value.length }),
      value,
    });
    return undefined;
  };
}

function idsIn({ query }: Request): string[] {
  const filter = query['$filter'];
  if (typeof filter !== 'string' || !(oneId.test(filter.trim()) || someIds.test(filter.trim()))) return [];
  return [...filter.matchAll(/'([^']+)'/g)].map(([, id]) => id ?? '');
}

/**
 * `POST …/machineactions/{id}/cancel` of a provisional id, before its call. What Defender has begun is cancelled there: with a
 * token of Microsoft's the request is passed on under Defender's own id.
 */
export function cancelAction(deps: PollDeps): RequestHandler {
  return async (request, response, next) => {
    const found = await findProvisional(
      String(request.params['id']),
      'machineAction',
      response,
      deps,
      'submit',
    );
    if (!found) return next();
    const context = contextOf(response);
    const { needs, stored } = found;
    const { status, result } = stored.document;
    if (status === 'started' && result && askerOf(response).microsoftToken !== undefined) {
      response.locals['defenderPath'] = `/api/machineactions/${encodeURIComponent(result.id)}/cancel`;
      return next();
    }
    refuseUnlessOwn(context, stored.caller, 'request_not_found');
    // Its repeats first: the caller knows them by this id alone, and the call would be made for them.
    const repeats = new Set(await needs.provisionalIds.repeatsOf(stored.document.id));
    repeats.delete(stored.document.id);
    await Promise.all(
      [...repeats].map((repeat) => needs.actions.requests.cancel(repeat, context.actor(undefined))),
    );
    const answer = await needs.actions.requests.cancel(stored.document.id, context.actor(undefined));
    if (answer.kind !== 'not-queued' || answer.status !== 'cancelled') {
      refuseUnlessDone(answer);
      context.log.info({ requestId: stored.document.id }, 'request cancelled');
    }
    const cancelled = await needs.reader.findPlaced(stored.document.id);
    const shown = await describe({ ...found, stored: cancelled ?? stored }, response);
    const odata = contextOfDocument(doorUrl(request), needs.queue.operation);
    response.status(201).json({ '@odata.context': odata, ...shown });
    return undefined;
  };
}

async function describe({ id, needs, stored }: Found, response: Response): Promise<object> {
  const { operation } = needs.queue;
  const { document } = await needs.describeRequest(stored);
  const seen = receiptUnlessReader(contextOf(response), document);
  return describeAsDefender({ id, document: seen, operation });
}

/**
 * `undefined` for an id that was not given out here, or that is none of this tenant's. What the asker may not see is answered like what
 * does not exist: numbers can be guessed.
 *
 * @throws ProblemError 403 or DefenderError 404
 */
export async function findProvisional(
  id: string,
  kind: ResultKind,
  response: Response,
  { choose, directory }: PollDeps,
  scope: 'read' | 'submit' = 'read',
): Promise<Found | undefined> {
  const queue = queueOf(id, response, directory);
  if (!queue || profileOf(queue.operation).resultKind !== kind) return undefined;
  requireScope(contextOf(response), scope);
  const needs = (await choose.exactly(response, queue)) as Dependencies;
  const requestId = isNumber(id) ? await needs.provisionalIds.requestOf(Number(id)) : readPublicId(id);
  const stored = requestId === undefined ? undefined : await needs.reader.findPlaced(requestId);
  const context = contextOf(response);
  const isOwn = stored?.caller === (ownerActedFor(context) ?? stored?.caller);
  const isShown = isOwn || (mayRead(context) && mayReadAll(response, kind));
  if (!stored || !isShown)
    throw new DefenderError(404, 'ResourceNotFound', `${id} is not known here, or no longer.`);
  return { id, needs, stored };
}

function isNumber(id: string): boolean {
  return /^\d{16}$/.test(id) && isProvisionalNumber(Number(id));
}

/** A request's id ends in the tag of its queue; numbers are those of the one operation that answers with them. */
function queueOf(id: string, response: Response, directory: PollDeps['directory']): Queue | undefined {
  const { caller, tenant } = askerOf(response);
  if (isNumber(id)) {
    const operation = operationNames.find((name) => profileOf(name).answersNumber);
    return operation && queueFor(tenant, operation, true);
  }
  const publicId = readPublicId(id);
  return publicId === undefined ? undefined : directory.findByTag(caller, queueTagIn(publicId));
}
