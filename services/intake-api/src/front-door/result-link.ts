import type { RequestHandler } from 'express';
import { profileOf } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { DefenderError } from './answer-as-defender.ts';
import { requireReadingRole } from './defender-roles.ts';
import { doorUrl } from './door-url.ts';
import { findProvisional, type PollDeps } from './poll-operations.ts';

/** Defender's names for the links to what an action brought. */
const packageLink = /^getpackageuri$/i;
const resultLinkForm = /^getliveresponseresultdownloadlink\(index=(\d{1,3})\)$/i;

/**
 * `GET …/machineactions/{id}/GetPackageUri` and `…/GetLiveResponseResultDownloadLink(index=…)` of a provisional id. Others go on to
 * the next route.
 */
export function resultLink(deps: PollDeps): RequestHandler {
  return async (request, response, next) => {
    const what = String(request.params['what']);
    const [, index] = resultLinkForm.exec(what) ?? [];
    if (index === undefined && !packageLink.test(what)) return next();
    const id = String(request.params['id']);
    const found = await findProvisional(id, 'machineAction', response, deps);
    if (!found) return next();
    requireReadingRole(response, 'machineAction');
    const { needs, stored } = found;
    const { download }: OperationProfile = profileOf(needs.queue.operation);
    const { result } = stored.document;
    if (download?.kind !== (index === undefined ? 'package' : 'results') || !result) throw nothingThere(id);
    const answer = await needs.links.ask({
      actionId: result.id,
      ...(index !== undefined && { index: Number(index) }),
    });
    if (answer.kind === 'not_there') throw nothingThere(id);
    if (answer.kind === 'unavailable') {
      const seconds = String(Math.max(1, Math.ceil(answer.retryAfterMs / 1_000)));
      const message = 'Defender cannot be asked for the link at the moment.';
      throw new DefenderError(429, 'TooManyRequests', message, { headers: { 'Retry-After': seconds } });
    }
    const context = `${doorUrl(request)}/api/$metadata#Edm.String`;
    response.json({ '@odata.context': context, value: answer.url });
    return undefined;
  };
}

function nothingThere(id: string): DefenderError {
  return new DefenderError(
    404,
    'ResourceNotFound',
    `Machine action ${id} has brought nothing yet, or nothing of the kind.`,
  );
}
