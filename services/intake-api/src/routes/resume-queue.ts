import { queueResumed } from '@diq/contracts/quota-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { onlyReason } from '../http/parse-or-400.ts';

/** Ends the operators' pause; other holds stay. The same when nothing was paused. */
export const resumeQueue = defineRoute({
  method: 'post',
  path: '/v1/queue/resume',
  id: 'resumeQueue',
  tag: 'Quota and queue',
  summary: 'End a pause',
  scope: 'admin',
  queue: 'query',
  body: { schema: onlyReason, isOptional: true, example: { reason: 'Maintenance is over' } },
  answers: {
    200: {
      description: 'Nothing is paused, whether or not it was.',
      schema: queueResumed,
    },
  },
  async handle({ body: { reason: why }, context, response }, { actions }: Dependencies) {
    const actor = context.actor(why);
    const wasPaused = await actions.pause.resume(actor);
    context.log.warn({ by: actor.name, wasPaused, reason: why }, 'queue resumed');
    response.json({ pause: null, wasPaused });
  },
});
