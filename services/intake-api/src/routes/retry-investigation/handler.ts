import type { RequestHandler } from 'express';
import { z } from 'zod';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { entryOf } from '@diq/queue/operations/audit-log.ts';
import type { StoredRequest } from '@diq/queue/requests/stored-request.ts';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { logOf } from '../../http/http-request-log.ts';
import { traceOf } from '../../http/trace-of.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';
import { ProblemError } from '../../http/problem-error.ts';
import { retryAfterSeconds } from '../../http/retry-after.ts';

export const body = z.strictObject({ reason: reason.optional() });

/**
 * `POST /v1/investigations/{id}/retry`: asks again for what failed or ended as unknown. Ends are final, so this is a new
 * request that says the same and has `retryOf`; while it waits, a second retry joins it.
 */
export function retryInvestigation({
  reader,
  intake,
  actions,
  describeRequest,
}: Pick<AppParts, 'reader' | 'intake' | 'actions' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { reason: why } = parseOrRefuse(body, request.body, 'the body');
    const stored = await findRequestOrRefuse(reader, request.params['id']);
    const nowMs = Date.now();
    const item = itemToRetry(stored, nowMs);
    const actor = actingCaller(response, why);
    // It stays with the one who asked first.
    const owner = stored.caller ?? actor.name;
    const { id } = await intake.acceptOne(item, nowMs, undefined, owner, traceOf(response));
    const { id: retryOf, machineId, correlation } = stored.document;
    await actions.audit.record(entryOf('retry', actor, { requestId: retryOf, retriedBy: id }));
    logOf(response).info(
      { requestId: id, retryOf, machineId, correlation, to: 'queued' },
      'request accepted',
    );

    const { document, startsInMs } = await describeRequest(await findRequestOrRefuse(reader, id));
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(startsInMs))
      .json(document);
  };
}

/** What was asked, to be asked again. An earlier investigation that was just started will not do for an operator. */
function itemToRetry({ document, callback }: StoredRequest, nowMs: number): InvestigationItem {
  const { id, status, notAfter, machineId, comment, priority, source, correlation } = document;
  if (status !== 'failed' && status !== 'unknown') {
    throw new ProblemError('nothing_to_retry', {
      detail: `The request is '${status}'; only one that is 'failed' or 'unknown' can be retried.`,
    });
  }
  if (notAfter !== undefined && Date.parse(notAfter) <= nowMs) {
    throw new ProblemError('deadline_passed', {
      detail: `The request was not to be started after ${notAfter}. Submit a new one with another deadline.`,
    });
  }
  const asked = { machineId, comment, priority, source, correlation, notAfter, callbackUrl: callback?.url };
  const item = investigationItem.parse(JSON.parse(JSON.stringify({ ...asked, force: true })));
  return Object.assign(item, { retryOf: id });
}
