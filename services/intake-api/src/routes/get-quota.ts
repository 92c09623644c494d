import { quotaDocument } from '@diq/contracts/quota-document.ts';
import type { Dependencies } from '../dependencies.ts';
import { defineRoute } from '../http/define-route.ts';
import { describeQuota, describeResults } from '../views/quota-view.ts';

export const getQuota = defineRoute({
  method: 'get',
  path: '/v1/quota',
  id: 'getQuota',
  tag: 'Quota and queue',
  summary: 'Ask what may be called and how much waits',
  scope: 'read',
  queue: 'query',
  answers: { 200: { description: 'At this moment.', schema: quotaDocument } },
  async handle({ response }, { readState, readOutcomes, queue, actions }: Dependencies) {
    const [state, pause, byOutcome] = await Promise.all([readState(), actions.pause.find(), readOutcomes()]);
    response.json({ ...describeQuota(state, pause, queue), results: describeResults(state, byOutcome) });
  },
});
