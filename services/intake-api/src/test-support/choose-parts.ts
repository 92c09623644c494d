import type { IdempotencyStore } from '@diq/queue/admission/idempotency-store.ts';
import type { ChooseQueue } from '../http/define-route.ts';
import { contextOf } from '../http/request-context.ts';

/** Every request is about the same queue, whose routes work with these parts. */
export function chooseParts(parts: object, idempotency?: IdempotencyStore): ChooseQueue {
  const queue = { tenant: 'default', operation: 'initiateInvestigation', tag: '00000000' } as const;
  return {
    exactly: () => Promise.reject(new Error('every request is about the same queue')),
    tenant: () => (_request, _response, next) => next(),
    queue: () => (_request, response, next) => {
      const store = idempotency ?? ({} as IdempotencyStore);
      contextOf(response).chosen = {
        queue,
        prefix: '/v1',
        operation: undefined,
        isAccepting: true,
        idempotency: store,
        parts,
      };
      next();
    },
  };
}
