import type { RequestHandler } from 'express';
import type { AppParts } from '../../app-parts.ts';
import { findRequestOrRefuse } from '../../find-or-refuse.ts';

/** `GET /v1/investigations/{id}`: the request document, 200 for every id that is known. */
export function getInvestigation({
  reader,
  describeRequest,
}: Pick<AppParts, 'reader' | 'describeRequest'>): RequestHandler {
  return async (request, response) => {
    const { document } = await describeRequest(await findRequestOrRefuse(reader, request.params['id']));
    response.json(document);
  };
}
