import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { AcceptedRequest } from '@diq/queue/admission/accept-requests.ts';
import type { RequestReader } from '@diq/queue/requests/request-reader.ts';
import { describeCallback } from '@diq/queue/requests/stored-callback.ts';
import { isRedisTrouble } from '@diq/redis/is-unavailable.ts';
import type { DescribedRequest, DescribeRequest } from './request-view.ts';

interface AcceptedViewDeps {
  reader: Pick<RequestReader, 'findPlaced'>;
  describeRequest: DescribeRequest;
  queue: { readonly operation: string };
}

/**
 * What was recorded a moment ago need not be read to be known; what it joined, or was recorded by an earlier attempt, is.
 * (The connection sends no command twice, so only a repeat of the caller's can find it recorded.)
 * The request is safe by now: should Redis go away at this moment, the answer comes without its place in the order.
 */
export async function describeAccepted(
  accepted: AcceptedRequest,
  item: InvestigationItem,
  { nowMs, isRepeat }: { nowMs: number; isRepeat: boolean },
  { reader, describeRequest, queue: { operation } }: AcceptedViewDeps,
): Promise<DescribedRequest> {
  const document = newDocument(accepted, item, { nowMs, operation });
  const { id, position } = accepted;
  try {
    const isKnown = position !== undefined && !isRepeat;
    const placed = isKnown ? { document, position } : await reader.findPlaced(id);
    if (placed) return await describeRequest(placed);
  } catch (error) {
    if (!isRedisTrouble(error)) throw error;
  }
  return { document, startsInMs: undefined };
}

function newDocument(
  { id, coalescedWith }: AcceptedRequest,
  item: InvestigationItem,
  { nowMs, operation }: { nowMs: number; operation: string },
): RequestDocument {
  const { callbackUrl, strict: _, force: __, ...asked } = item;
  const callback = callbackUrl && { url: callbackUrl, about: 'queued', delivery: undefined };
  const document = {
    id,
    operation,
    ...asked,
    createdAt: new Date(nowMs).toISOString(),
    status: 'queued' as const,
    coalescedWith,
    attempts: 0,
    callback: callback && describeCallback(callback),
  };
  // Through JSON, as the stored one: fields that the caller left out are absent and not undefined.
  return JSON.parse(JSON.stringify(document)) as RequestDocument;
}
