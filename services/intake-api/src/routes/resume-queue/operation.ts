import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

export const resumeQueueOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/queue/resume',
  tag: 'Quota and queue',
  id: 'resumeQueue',
  summary: 'End a pause',
  scope: 'admin',
  body: { schema: body, isOptional: true, example: { reason: 'Maintenance is over' } },
  answers: {
    200: {
      description: 'Nothing is paused, whether or not it was.',
      schema: z.strictObject({ pause: z.null(), wasPaused: z.boolean() }),
    },
  },
};
