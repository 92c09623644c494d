import type { RequestHandler, Response } from 'express';
import { profileOf } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { Dependencies } from '../dependencies.ts';
import type { BodyBudget } from '../http/body-budget.ts';
import type { ChooseQueue } from '../http/define-route.ts';
import { requireJson, singleBodyLimitBytes } from '../http/middleware/require-json.ts';
import { ProblemError } from '../http/problem-error.ts';
import { contextOf, type RequestContext } from '../http/request-context.ts';
import { queueFor } from '../queues/queue-directory.ts';
import { acceptItem, judgeItem, logAccepted } from '../submission/accept-item.ts';
import { describeAccepted } from '../views/accepted-view.ts';
import { itemFor, namingOf, operationOfVerb } from './asked-operation.ts';
import { contextOfDocument, describeAsDefender } from './defender-documents.ts';
import { requireOperation } from './defender-roles.ts';
import { doorUrl } from './door-url.ts';
import type { AskDefender } from './answer-reads.ts';
import { askerOf } from './identify-asker.ts';
import { receiptUnlessReader } from './receipt-document.ts';
import { resolveMachine } from './resolve-machine.ts';

const anyMachine = '0'.repeat(40);

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
      // Before anything is read of its body.
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
      const isResolved = profileOf(operation).order !== undefined && !('machineId' in namingOf(named));
      // What is refused whichever machine is meant costs no read.
      if (isResolved) await judgeItem(context, itemFor(anyMachine, request.body), needs);
      const machine = isResolved ? await resolveMachine(named, tenantId, askDefender) : named;
      const { item } = await judgeItem(context, itemFor(machine, request.body), needs);
      const accepted = await acceptItem(context, item, needs);
      const { document } = await describeAccepted(accepted, item, context.submission, needs);
      logAccepted(context, document);
      const first = await firstAsked(context, document, needs);
      if (first.id !== document.id) await needs.provisionalIds.noteRepeat(first.id, document.id);
      const shown = receiptUnlessReader(context, first);
      await answer(response, shown, needs);
    },
  ];
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
