import { z } from 'zod';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { body } from './handler.ts';

export const cancelled = z
  .strictObject({
    cancelled: z.int().nonnegative(),
    alreadyDispatched: z.int().nonnegative().describe('Fitted, and their call was made or being made.'),
    remaining: z
      .boolean()
      .describe('The time was up before all were looked at: the same request again goes on.'),
  })
  .meta({ id: 'Cancelled' });

export const cancelInvestigationsOperation: DocumentedOperation = {
  method: 'post',
  path: '/v1/investigations/cancel',
  tag: 'Requests',
  id: 'cancelInvestigations',
  summary: 'Cancel what is queued by batch, source or machine',
  description: 'What fits all filters given. Repeat it while `remaining` is true.',
  scope: 'submit',
  isOwnOnly: true,
  body: { schema: body, example: { source: 'phishing-playbook', reason: 'False alarm' } },
  answers: { 200: { description: 'How many were cancelled.', schema: cancelled } },
};
