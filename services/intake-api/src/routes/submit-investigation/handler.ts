import type { RequestHandler } from 'express';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { parseItem } from '@diq/contracts/parse-item.ts';
import type { AcceptedRequest } from '@diq/queue/accept-requests.ts';
import type { AppParts } from '../../app-parts.ts';
import { describeFaults } from '../../describe-faults.ts';
import type { DescribedRequest } from '../../describe-request.ts';
import { isRedisTrouble } from '../../is-redis-trouble.ts';
import { ProblemError } from '../../problem-error.ts';
import { retryAfterSeconds } from '../../retry-after.ts';

type Parts = Pick<AppParts, 'intake' | 'reader' | 'describeRequest' | 'metrics'>;

/**
 * `POST /v1/investigations`. Answers 202 with the request document once Redis has acknowledged the request, also when
 * it joined one that waits for the same machine. `Location` leads to the form that answers 202 until it is done.
 */
export function submitInvestigation(parts: Parts): RequestHandler {
  return async (request, response) => {
    const nowMs = Date.now();
    const parsed = parseItem(request.body, nowMs);
    if (!parsed.ok) {
      parts.metrics.countOutcomes({ accepted: 0, coalesced: 0, rejected: 1 });
      throw new ProblemError('invalid_request', {
        detail: describeFaults(parsed.faults, 'the body'),
        errors: parsed.faults,
      });
    }
    const accepted = await parts.intake.acceptOne(parsed.item, nowMs);
    const { id, coalescedWith } = accepted;
    const coalesced = coalescedWith === undefined ? 0 : 1;
    parts.metrics.countOutcomes({ accepted: 1 - coalesced, coalesced, rejected: 0 });
    request.log.info({ id, machineId: parsed.item.machineId, coalescedWith }, 'request accepted');

    const { document, startsInMs } = await describeAccepted(parts, accepted, parsed.item, nowMs);
    response
      .status(202)
      .location(`/v1/investigations/${id}/result`)
      .set('Operation-Location', `/v1/investigations/${id}`)
      .set('Retry-After', retryAfterSeconds(document.status === 'queued' ? startsInMs : 0))
      .json(document);
  };
}

/** The request is safe by now: should Redis go away at this moment, it is told without its place in the order. */
async function describeAccepted(
  { reader, describeRequest }: Parts,
  { id, coalescedWith }: AcceptedRequest,
  item: InvestigationItem,
  nowMs: number,
): Promise<DescribedRequest> {
  try {
    const stored = await reader.findRequest(id);
    if (stored) return await describeRequest(stored);
  } catch (error) {
    if (!isRedisTrouble(error)) throw error;
  }
  const document = {
    id,
    ...item,
    status: 'queued' as const,
    ...(coalescedWith === undefined ? {} : { coalescedWith }),
    createdAt: new Date(nowMs).toISOString(),
    attempts: 0,
  };
  // Through JSON, as the stored one: fields that the caller left out are absent and not undefined.
  return {
    document: JSON.parse(JSON.stringify(document)) as DescribedRequest['document'],
    startsInMs: undefined,
  };
}
