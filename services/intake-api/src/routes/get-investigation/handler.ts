import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { pollAfterSeconds } from '../../http/retry-after.ts';

/** `GET /v1/investigations/{id}`: the request document, 200 for every id that is known, with `Retry-After` until it is terminal. */
export function getInvestigation({
  reader,
  describeRequest,
}: Pick<AppParts, 'reader' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { document, startsInMs } = await describeRequest(
      await findRequestOrRefuse(reader, request.params['id']),
    );
    const pollAfter = pollAfterSeconds(document.status, startsInMs);
    if (pollAfter !== undefined) response.set('Retry-After', pollAfter);
    response.json(document);
  };
}
