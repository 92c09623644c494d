import { z } from 'zod';
import { requestDocument } from '@diq/contracts/request-document.ts';
import type { DocumentedOperation } from '../../http/route-definition.ts';
import { query } from './handler.ts';

export const listInvestigationsOperation: DocumentedOperation = {
  method: 'get',
  path: '/v1/investigations',
  tag: 'Requests',
  id: 'listInvestigations',
  summary: 'List requests, newest first',
  description:
    'New arrivals do not shift pages. With several filters a page may be short, or empty, and still have a `nextLink`: follow it until there is none.',
  scope: 'read',
  query,
  answers: {
    200: {
      description: 'A page.',
      schema: z.strictObject({
        value: z.array(requestDocument),
        nextLink: z.string().optional().describe('Path and query of the next page; absent on the last.'),
      }),
    },
  },
};
