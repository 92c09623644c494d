import type { TenantClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { CallOptions } from '@diq/client/transport.ts';
import type { BatchDocument } from '@diq/contracts/batch-document.ts';
import type { RequestDocument } from '@diq/contracts/request-document.ts';

export type Found = { kind: 'batch'; batch: BatchDocument } | { kind: 'request'; request: RequestDocument };

/** What an id stands for, a batch or a request; `timeoutMs` is of both calls. @throws DiqError `request_not_found` for neither */
export async function findById(
  client: TenantClient,
  id: string,
  { signal, timeoutMs }: CallOptions,
): Promise<Found> {
  const startedMs = performance.now();
  try {
    return { kind: 'batch', batch: await client.getBatch(id, { signal, timeoutMs }) };
  } catch (error) {
    if (!(error instanceof DiqError) || error.code !== 'batch_not_found') throw error;
    const leftMs = timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - startedMs);
    return { kind: 'request', request: await client.getRequest(id, { signal, timeoutMs: leftMs }) };
  }
}
