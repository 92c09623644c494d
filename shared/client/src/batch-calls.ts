import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { batchDocument, batchEntry, batchListed } from '@diq/contracts/batch-document.ts';
import { batchCancelled } from '@diq/contracts/bulk-answers.ts';
import { batchAnswer, batchDryRun } from '@diq/contracts/item-answer.ts';
import { batchDryRunReceipt, batchReceipt } from '@diq/contracts/receipts.ts';
import type { ListBatches, NewBatch, PageSize, SubmitOptions, WithReason } from './inputs.ts';
import { pagesOf } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';
import { withQuery } from './write-query.ts';

/** Callers without the scope `read` get a receipt: ids and statuses. */
const batchOrReceipt = z.union([batchAnswer, batchReceipt]);
const dryRunOrReceipt = z.union([batchDryRun, batchDryRunReceipt]);

/** The calls about batches. Each rejects with DiqError, or with the reason of its signal. */
export function batchCalls(transport: Transport, prefix: string) {
  const all = `${prefix}/batches`;
  const one = (id: string, more = '') => `${all}/${encodeURIComponent(id)}${more}`;

  return {
    /** Records a batch of up to 10,000 items; a bad item rejects itself alone. */
    async submitBatch(batch: NewBatch, { idempotencyKey = randomUUID(), ...options }: SubmitOptions = {}) {
      const call = {
        method: 'POST',
        path: all,
        body: batch,
        schema: batchOrReceipt,
        idempotencyKey,
      } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** What would become of it; records nothing. */
    async dryRunBatch(batch: NewBatch, options: CallOptions = {}) {
      const path = withQuery(all, { dryRun: 'true' });
      const call = { method: 'POST', path, body: batch, schema: dryRunOrReceipt } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** Newest first. */
    listBatches: (filter: ListBatches = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery(all, filter), batchListed, options),
    async getBatch(id: string, options: CallOptions = {}) {
      return (await transport.send({ ...options, method: 'GET', path: one(id), schema: batchDocument })).body;
    },
    /** In input order. */
    listBatchItems: (id: string, size: PageSize = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery(one(id, '/items'), size), batchEntry, options),
    /** Cancels what is queued of it, for a bounded time: repeat it while `remaining`. */
    async cancelBatch(id: string, why: WithReason = {}, options: CallOptions = {}) {
      const call = { method: 'DELETE', path: withQuery(one(id), why), schema: batchCancelled } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
  };
}
