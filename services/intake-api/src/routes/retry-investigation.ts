import { z } from 'zod';
import { requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { entryOf } from '@diq/queue/operations/audit-log.ts';
import type { Retry } from '@diq/queue/admission/new-request.ts';
import { retryOf } from '@diq/queue/requests/retry-of.ts';
import type { StoredRequest } from '@diq/queue/requests/stored-request.ts';
import { refuseUnlessOwn } from '../auth/ownership.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { findRequestOrRefuse } from '../http/find-or-404.ts';
import { onlyReason } from '../http/parse-or-400.ts';
import { ProblemError } from '../http/problem-error.ts';
import { requireRiskScope } from '../http/request-context.ts';
import { retryAfterSeconds } from '../http/retry-after.ts';
import { forCaller } from '../submission/receipt.ts';

/** While the new request waits, a second retry joins it. */
export const retryInvestigation = defineRoute({
  method: 'post',
  path: '/v1/investigations/:id/retry',
  id: 'retryInvestigation',
  tag: 'Requests',
  summary: 'Ask again for what failed or is unknown',
  description: 'Ends are final: this makes a new request that says the same, with `retryOf`.',
  scope: 'submit',
  queue: 'id',
  isOwnOnly: true,
  body: { schema: onlyReason, isOptional: true, example: { reason: 'The machine is back' } },
  answers: {
    202: {
      description: 'The new request.',
      schema: z.union([requestDocument, requestReceipt]),
      headers: ['Location', 'Operation-Location', 'Retry-After'],
    },
  },
  problems: [
    'request_not_found',
    'nothing_to_retry',
    'tenant_removed',
    'deadline_passed',
    'too_many_joined',
    'storage_full',
    'backlog_full',
    'redis_full',
  ],
  async handle(
    { id: given, body, context, response },
    { reader, intake, actions, describeRequest }: Dependencies,
  ) {
    if (!context.chosen.isAccepting)
      throw new ProblemError('tenant_removed', { detail: 'Nothing new is accepted for it.' });
    requireRiskScope(context);
    const stored = await findRequestOrRefuse(reader, given);
    refuseUnlessOwn(context, stored.caller, 'request_not_found');
    const { nowMs } = context.submission;
    const item = itemToRetry(stored, nowMs);
    const actor = context.actor(body.reason);
    // It stays with the one who asked first.
    const owner = stored.caller ?? actor.name;
    const { id } = await intake.acceptOne(item, { nowMs, caller: owner, trace: context.trace });
    const { id: repeated, machineId, correlation } = stored.document;
    await actions.audit.record(entryOf('retry', actor, { requestId: repeated, retriedBy: id }));
    context.log.info(
      { requestId: id, retryOf: repeated, machineId, correlation, to: 'queued' },
      'request accepted',
    );

    const { document, startsInMs } = await describeRequest(await findRequestOrRefuse(reader, id));
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(startsInMs))
      .json(forCaller(context, document));
  },
});

/** An earlier investigation that was just started will not do for who asks for this one by its id. */
function itemToRetry(stored: StoredRequest, nowMs: number): Retry {
  const { status, notAfter } = stored.document;
  if (status !== 'failed' && status !== 'unknown') {
    throw new ProblemError('nothing_to_retry', {
      detail: `The request is '${status}'; only one that is 'failed' or 'unknown' can be retried.`,
    });
  }
  const retry = retryOf(stored, { nowMs, force: true });
  if (!retry) {
    throw new ProblemError('deadline_passed', {
      detail: `The request was not to be started after ${notAfter}. Submit a new one with another deadline.`,
    });
  }
  return retry;
}
