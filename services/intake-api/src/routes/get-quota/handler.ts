import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { describeQuota } from '../../views/quota-view.ts';

/** `GET /v1/quota`: what may be called, what is in the way, and how much there is to do. */
export function getQuota({
  readState,
  operation,
  actions,
}: Pick<AppParts, 'readState' | 'operation' | 'actions'>): RequestHandler {
  return async (_request, response) => {
    const [state, pause] = await Promise.all([readState(), actions.pause.find()]);
    response.json(describeQuota(state, pause, operation));
  };
}
