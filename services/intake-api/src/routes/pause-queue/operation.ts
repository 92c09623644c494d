import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

/** A pause as operators are told of it. */
export const pause = z
  .strictObject({
    by: z.string(),
    reason: z.string().optional(),
    since: z.iso.datetime(),
    until: z.iso.datetime().nullable().describe('null for one that lasts until the queue is resumed.'),
  })
  .meta({ id: 'Pause' });

export const pauseQueueOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/queue/pause',
  tag: 'Quota and queue',
  id: 'pauseQueue',
  summary: 'Make no calls for a time',
  description:
    'Nobody calls Defender until the queue is resumed, or until `until`. Requests are accepted as before.',
  scope: 'admin',
  body: { schema: body, example: { reason: 'Defender is being maintained', until: '2026-11-30T08:00:00Z' } },
  answers: {
    200: { description: 'The pause.', schema: z.strictObject({ pause: pause.nullable() }) },
  },
};
