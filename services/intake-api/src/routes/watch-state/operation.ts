import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';

export const watchStateOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/events',
  tag: 'Quota and queue',
  id: 'watchState',
  summary: 'Be told when the state changes',
  description:
    'Server-sent events, at most one per second. For pages; programs ask `GET /v1/quota` at intervals.',
  scope: 'read',
  answers: {
    200: {
      description: 'The state now, and after each change.',
      mediaType: 'text/event-stream',
      schema: z.string(),
    },
  },
  problems: ['too_many_listeners'],
};
