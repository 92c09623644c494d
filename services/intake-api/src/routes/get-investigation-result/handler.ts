import type { RequestHandler } from 'express';
import type { AppParts } from '../../dependencies.ts';
import { findRequestOrRefuse } from '../../http/find-or-404.ts';
import { pollAfterSeconds } from '../../http/retry-after.ts';

/**
 * `GET /v1/investigations/{id}/result`: the request document, 202 with `Retry-After` until the request is terminal and
 * 200 from then on. Clients that follow 202 and `Location` by themselves wait for the outcome this way.
 */
export function getInvestigationResult({
  reader,
  describeRequest,
}: Pick<AppParts, 'reader' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { document, startsInMs } = await describeRequest(
      await findRequestOrRefuse(reader, request.params['id']),
    );
    const pollAfter = pollAfterSeconds(document.status, startsInMs);
    if (pollAfter !== undefined) {
      response.status(202).location(`/v1/investigations/${document.id}/result`).set('Retry-After', pollAfter);
    }
    response.json(document);
  };
}
