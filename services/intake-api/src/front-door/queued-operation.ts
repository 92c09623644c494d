import type { RequestHandler, Response } from 'express';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import type { BodyBudget } from '../http/body-budget.ts';
import type { ChooseQueue } from '../http/define-route.ts';
import { requireJson, singleBodyLimitBytes } from '../http/middleware/require-json.ts';
import { ProblemError } from '../http/problem-error.ts';
import { contextOf, requireScope, scopeToAskFor, type RequestContext } from '../http/request-context.ts';
import { queueFor } from '../queues/queue-directory.ts';
import { acceptItem, judgeItem, logAccepted } from '../submission/accept-item.ts';
import { describeAccepted } from '../views/accepted-view.ts';
import { DefenderError } from './answer-as-defender.ts';
import { itemFor, operationOfVerb } from './asked-operation.ts';
import { contextOfDocument, describeAsDefender } from './defender-documents.ts';
import { doorUrl } from './door-url.ts';
import type { AskDefender } from './answer-reads.ts';
import { askerOf } from './identify-asker.ts';
import { resolveMachine } from './resolve-machine.ts';

/** What ended so did not reach Defender: asked for again, it is another request. */
const endedUncalled: readonly RequestDocument['status'][] = ['cancelled', 'expired'];

/**
 * `POST …/machines/{machine}/{verb}` of an operation that the tenant has a queue for: recorded as `POST /v1/requests` records
 * it, and answered at once as if Defender had started it, with an id that stays. Whatever else goes on to the next route.
 */
export function queuedOperation(
  choose: ChooseQueue,
  budget: BodyBudget,
  askDefender: AskDefender,
): RequestHandler[] {
  return [
    async (request, response, next) => {
      const operation = operationOfVerb(String(request.params['verb']));
      const { tenant } = askerOf(response);
      const queue = operation && queueFor(tenant, operation, false);
      if (!operation || !queue) return next('route');
      requireOperation(response, operation);
      if (tenant.isRemoved) throw new ProblemError('tenant_removed');
      await choose.exactly(response, queue);
      return next();
    },
    ...requireJson(singleBodyLimitBytes, budget),
    async (request, response) => {
      const context = contextOf(response);
      const needs = context.chosen.parts as Dependencies;
      const { operation } = needs.queue;
      const named = String(request.params['machine']);
      const { tenantId } = askerOf(response).tenant.tenant;
      const isInTurns = profileOf(operation).order !== undefined;
      const machine = isInTurns ? await resolveMachine(named, tenantId, askDefender) : named;
      const asked = itemFor(machine, request.body);
      const { item } = await judgeItem(context, asked, needs);
      const accepted = await acceptItem(context, item, needs);
      const { document } = await describeAccepted(accepted, item, context.submission, needs);
      logAccepted(context, document);
      const shown = await firstAsked(context, document, needs);
      await answer(response, shown, needs);
    },
  ];
}

/** Before anything is read of it. @throws ProblemError or DefenderError 403 */
function requireOperation(response: Response, operation: OperationName): void {
  const { caller } = askerOf(response);
  const { requiredRole }: OperationProfile = profileOf(operation);
  if (caller.defenderRoles === undefined) requireScope(contextOf(response), scopeToAskFor(operation));
  else if (!caller.defenderRoles.has(requiredRole)) {
    throw new DefenderError(
      403,
      'Forbidden',
      `Missing application roles. API required roles: ${requiredRole}.`,
    );
  }
}

/**
 * The caller's request that a repeat is answered with: that which was the first to share the call, as long as it was not
 * taken back.
 */
async function firstAsked(
  { caller: { name } }: RequestContext,
  document: RequestDocument,
  { reader, provisionalIds, describeRequest }: Dependencies,
): Promise<RequestDocument> {
  const { id, coalescedWith } = document;
  if (coalescedWith === undefined) return document;
  const shared = await reader.findRequest(coalescedWith);
  const isOwn = shared?.caller === name && !endedUncalled.includes(shared.document.status);
  const firstId = isOwn ? coalescedWith : await provisionalIds.firstOf(name, coalescedWith, id);
  const first = firstId === id ? undefined : await reader.findPlaced(firstId);
  if (first && !endedUncalled.includes(first.document.status)) return (await describeRequest(first)).document;
  if (firstId !== id) await provisionalIds.replaceFirst(name, coalescedWith, id);
  return document;
}

async function answer(
  response: Response,
  document: RequestDocument,
  { provisionalIds, queue: { operation } }: Dependencies,
): Promise<void> {
  const base = doorUrl(response.req);
  const { answersNumber }: OperationProfile = profileOf(operation);
  if (answersNumber) {
    const value = await provisionalIds.numberOf(document.id);
    response.json({ '@odata.context': `${base}/api/$metadata#Edm.Int64`, value });
    return;
  }
  const shown = describeAsDefender({ id: document.id, document, operation });
  response.status(201).json({ '@odata.context': contextOfDocument(base, operation), ...shown });
}
