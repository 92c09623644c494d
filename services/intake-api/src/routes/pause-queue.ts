import { z } from 'zod';
import { itemDefaults } from '@diq/contracts/investigation-item.ts';
import { queuePaused } from '@diq/contracts/quota-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { reason } from '../http/parse-or-400.ts';
import { describePause } from '../views/quota-view.ts';

const wantedPause = z.strictObject({
  reason,
  until: itemDefaults.shape.notAfter
    .unwrap()
    .refine((time) => Date.parse(time) > Date.now(), 'must lie in the future')
    .optional(),
});

export const pauseQueue = defineRoute({
  method: 'post',
  path: '/v1/queue/pause',
  id: 'pauseQueue',
  tag: 'Quota and queue',
  summary: 'Make no calls for a time',
  description:
    'No calls to Defender until the queue is resumed, or until `until`. Requests are accepted as before.',
  scope: 'admin',
  queue: 'query',
  body: {
    schema: wantedPause,
    example: { reason: 'Defender is being maintained', until: '2026-11-30T08:00:00Z' },
  },
  answers: {
    200: { description: 'The pause.', schema: queuePaused },
  },
  async handle({ body: { reason: why, until }, context, response }, { actions }: Dependencies) {
    const actor = context.actor(why);
    await actions.pause.pause(actor, until === undefined ? undefined : Date.parse(until));
    context.log.warn({ by: actor.name, until: until ?? null, reason: why }, 'queue paused');
    response.json({ pause: describePause(await actions.pause.find()) });
  },
});
