import type { RequestHandler } from 'express';
import { z } from 'zod';
import { itemDefaults } from '@diq/contracts/investigation-item.ts';
import { actingCaller } from '../../auth/acting-caller.ts';
import type { AppParts } from '../../dependencies.ts';
import { describePause } from '../../views/pause-view.ts';
import { logOf } from '../../http/http-request-log.ts';
import { parseOrRefuse, reason } from '../../http/parse-or-400.ts';

export const body = z.strictObject({
  reason,
  until: itemDefaults.shape.notAfter
    .unwrap()
    .refine((time) => Date.parse(time) > Date.now(), 'must lie in the future')
    .optional(),
});

/** `POST /v1/queue/pause`: nobody calls Defender until it is resumed, or until then. Requests are accepted as before. */
export function pauseQueue({ actions }: Pick<AppParts, 'actions'>): RequestHandler {
  return async (request, response) => {
    const { reason: why, until } = parseOrRefuse(body, request.body, 'the body');
    const actor = actingCaller(response, why);
    await actions.pause.pause(actor, until === undefined ? undefined : Date.parse(until));
    logOf(response).warn({ by: actor.name, until: until ?? null, reason: why }, 'queue paused');
    response.json({ pause: describePause(await actions.pause.find()) });
  };
}
