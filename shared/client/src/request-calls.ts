import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { cancelled, purged, retried } from '@diq/contracts/bulk-answers.ts';
import { requestDryRun } from '@diq/contracts/item-answer.ts';
import { requestDryRunReceipt, requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type {
  BulkCancel,
  BulkRetry,
  Change,
  ListRequests,
  NewRequest,
  Purge,
  SubmitOptions,
  WithReason,
} from './inputs.ts';
import { pagesOf } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';
import { withQuery } from './write-query.ts';

/** Callers without the scope `read` get a receipt: id and status. */
const requestOrReceipt = z.union([requestDocument, requestReceipt]);
const dryRunOrReceipt = z.union([requestDryRun, requestDryRunReceipt]);

/** The calls about requests, of the queue of any operation. Each rejects with DiqError, or with the reason of its signal. */
export function requestCalls(transport: Transport, prefix: string) {
  const all = `${prefix}/requests`;
  const one = (id: string, more = '') => `${all}/${encodeURIComponent(id)}${more}`;

  return {
    /** Records a request. */
    async submitRequest(item: NewRequest, { idempotencyKey = randomUUID(), ...options }: SubmitOptions = {}) {
      const call = {
        method: 'POST',
        path: all,
        body: item,
        schema: requestOrReceipt,
        idempotencyKey,
      } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** What would become of it; records nothing. */
    async dryRunRequest(item: NewRequest, options: CallOptions = {}) {
      const path = withQuery(all, { dryRun: 'true' });
      const call = { method: 'POST', path, body: item, schema: dryRunOrReceipt } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** Newest first. */
    listRequests: (filter: ListRequests = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery(all, filter), requestDocument, options),
    async getRequest(id: string, options: CallOptions = {}) {
      const call = { method: 'GET', path: one(id), schema: requestDocument } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** `hasEnded` once it has its last status; until then ask again after `retryAfterMs`. */
    async getRequestResult(id: string, options: CallOptions = {}) {
      const call = { method: 'GET', path: one(id, '/result'), schema: requestDocument } as const;
      const { body: request, status, retryAfterMs } = await transport.send({ ...options, ...call });
      return { request, hasEnded: status === 200, retryAfterMs };
    },
    /** Defender's own short-lived link to the package that a request collected. */
    getPackageOfRequest: (id: string, options: CallOptions = {}) =>
      linkAt(transport, one(id, '/package'), options),
    /** Defender's own short-lived link to the output of a command of a live response, counted from 0. */
    getResultFileOfRequest: (id: string, index: number, options: CallOptions = {}) =>
      linkAt(transport, one(id, `/results/${index}`), options),
    async changeRequest(id: string, change: Change, options: CallOptions = {}) {
      const call = { method: 'PATCH', path: one(id), body: change, schema: requestOrReceipt } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    async cancelRequest(id: string, why: WithReason = {}, options: CallOptions = {}) {
      const call = { method: 'DELETE', path: withQuery(one(id), why), schema: requestOrReceipt } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** Cancels what fits, for a bounded time: while `remaining`, go on with `cursor`. See `cancelAll`. */
    async cancelRequests({ operation, ...filter }: BulkCancel, options: CallOptions = {}) {
      const path = withQuery(`${all}/cancel`, { operation });
      return (await transport.send({ ...options, method: 'POST', path, body: filter, schema: cancelled }))
        .body;
    },
    /** Asks again for what fits, for a bounded time: while `remaining`, go on with `cursor`. See `retryAll`. */
    async retryRequests({ operation, ...filter }: BulkRetry, options: CallOptions = {}) {
      const path = withQuery(`${all}/retry`, { operation });
      return (await transport.send({ ...options, method: 'POST', path, body: filter, schema: retried })).body;
    },
    /** Deletes what has ended and fits, for a bounded time: repeat it while `remaining`. */
    async purgeRequests({ operation, ...filter }: Purge, options: CallOptions = {}) {
      const path = withQuery(`${all}/purge`, { operation });
      return (await transport.send({ ...options, method: 'POST', path, body: filter, schema: purged })).body;
    },
    async moveToHead(id: string, why: WithReason = {}, options: CallOptions = {}) {
      const path = one(id, '/move-to-head');
      const call = { method: 'POST', path, body: why, schema: requestDocument } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** A new request that says the same. Not repeated after a lost answer, since each makes one more. */
    async retryRequest(id: string, why: WithReason = {}, options: CallOptions = {}) {
      const path = one(id, '/retry');
      const call = { method: 'POST', path, body: why, schema: requestDocument, isRepeatable: false } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
  };
}

async function linkAt(transport: Transport, path: string, options: CallOptions): Promise<string> {
  const { headers } = await transport.send({ ...options, method: 'GET', path, accepts: [302] });
  return headers.get('location') ?? '';
}
