import type { RequestHandler } from 'express';
import { z } from 'zod';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { logOf } from '../../http/http-request-log.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';

export const body = z.strictObject({ reason: reason.optional() });

/** `POST /v1/queue/resume`: ends the operators' pause; other holds stay. The same when nothing was paused. */
export function resumeQueue({ actions }: Pick<AppParts, 'actions'>): RequestHandler {
  return async (request, response) => {
    const { reason: why } = parseOrRefuse(body, request.body, 'the body');
    const actor = actingCaller(response, why);
    const wasPaused = await actions.pause.resume(actor);
    logOf(response).warn({ by: actor.name, wasPaused, reason: why }, 'queue resumed');
    response.json({ pause: null, wasPaused });
  };
}
