import type { TenantClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { BatchDocument } from '@diq/contracts/batch-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';

export type Found = { kind: 'batch'; batch: BatchDocument } | { kind: 'request'; request: RequestDocument };

/** What an id stands for, a batch or a request. @throws DiqError `request_not_found` for neither */
export async function findById(client: TenantClient, id: string, signal: AbortSignal): Promise<Found> {
  try {
    return { kind: 'batch', batch: await client.getBatch(id, { signal }) };
  } catch (error) {
    if (!(error instanceof DiqError) || error.code !== 'batch_not_found') throw error;
    return { kind: 'request', request: await client.getRequest(id, { signal }) };
  }
}
