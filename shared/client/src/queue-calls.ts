import { z } from 'zod';
import { recordedEntry } from '@diq/contracts/audit-entry.ts';
import { operationDocument } from '@diq/contracts/offers.ts';
import { nextCalls } from '@diq/contracts/queue-order.ts';
import { queuePaused, queueResumed, quotaDocument } from '@diq/contracts/quota-document.ts';
import { eventsIn } from './event-stream.ts';
import type { OfOperation, PageSize, WithReason } from './inputs.ts';
import { pagesOf } from './pages.ts';
import type { CallOptions, Transport } from './transport.ts';
import { withQuery } from './write-query.ts';

const operations = z.strictObject({ value: z.array(operationDocument) });

/** The calls about quota and queue. Each rejects with DiqError, or with the reason of its signal. */
export function queueCalls(transport: Transport, prefix: string) {
  return {
    async listOperations(of: OfOperation = {}, options: CallOptions = {}) {
      const call = {
        method: 'GET',
        path: withQuery(`${prefix}/operations`, of),
        schema: operations,
      } as const;
      return (await transport.send({ ...options, ...call })).body.value;
    },
    async getQuota(of: OfOperation = {}, options: CallOptions = {}) {
      const call = { method: 'GET', path: withQuery(`${prefix}/quota`, of), schema: quotaDocument } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** The first calls in the order, and why each stands there. */
    async listNext(of: OfOperation & PageSize = {}, options: CallOptions = {}) {
      const call = { method: 'GET', path: withQuery(`${prefix}/queue/next`, of), schema: nextCalls } as const;
      return (await transport.send({ ...options, ...call })).body;
    },
    /** The state now and after each change, as JSON that `GET /v1/quota` is a part of. It ends when the connection does. */
    async *watchState(of: OfOperation = {}, options: CallOptions = {}): AsyncGenerator {
      const path = withQuery(`${prefix}/events`, of);
      const response = await transport.openStream({ ...options, method: 'GET', path });
      try {
        for await (const data of eventsIn(response)) yield JSON.parse(data) as unknown;
      } catch (error) {
        options.signal?.throwIfAborted();
        throw error;
      }
    },
    /** No calls to Defender until `until`, or until the queue is resumed. */
    async pauseQueue(
      { operation, ...pause }: OfOperation & { reason: string; until?: string | undefined },
      options: CallOptions = {},
    ) {
      const path = withQuery(`${prefix}/queue/pause`, { operation });
      return (await transport.send({ ...options, method: 'POST', path, body: pause, schema: queuePaused }))
        .body;
    },
    async resumeQueue({ operation, ...why }: OfOperation & WithReason = {}, options: CallOptions = {}) {
      const path = withQuery(`${prefix}/queue/resume`, { operation });
      return (await transport.send({ ...options, method: 'POST', path, body: why, schema: queueResumed }))
        .body;
    },
    /** Who did what, newest first. */
    listAudit: (of: OfOperation & PageSize = {}, options: CallOptions = {}) =>
      pagesOf(transport, withQuery(`${prefix}/audit`, of), recordedEntry, options),
  };
}
