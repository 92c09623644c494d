import { z } from 'zod';
import { queueSummary } from '@diq/contracts/quota-document.ts';
import { LayoutError } from '@diq/queue/layout.ts';
import { nameOf, type Queue } from '@diq/tenants/tenant.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { QueueState } from '../estimates/queue-state.ts';
import { inTurn } from '../http/caller-turns.ts';
import { namePosition, pageOf, positionCursor, writePosition } from '../http/cursor.ts';
import { defineRoute } from '../http/define-route.ts';
import { pageLimit } from '../http/parse-or-400.ts';
import { describeQuota } from '../views/quota-view.ts';

/** Each entry is read for this answer: a page is small, and a caller's pages are read one after the other. */
export const listQueues = defineRoute({
  method: 'get',
  path: '/v1/queues',
  id: 'listQueues',
  tag: 'Quota and queue',
  summary: 'List the queues that the credential reaches, with what waits and what may be called',
  scope: 'read',
  query: z.strictObject({
    tenant: z
      .string({ error: 'must be given once' })
      .max(64)
      .optional()
      .describe('Only those of this tenant.'),
    limit: pageLimit(100),
    cursor: positionCursor(namePosition).optional(),
  }),
  answers: { 200: { description: 'A page, by tenant and operation.', schema: pageOf(queueSummary) } },
  async handle(
    { query: { tenant, limit, cursor = '' }, context, response },
    { directory, layouts, peekQueue }: ServiceDependencies,
  ) {
    const behind = directory
      .tenantsOf(context.caller)
      .filter((known) => tenant === undefined || known.tenant.name === tenant)
      .flatMap(({ queues, former }) => [...queues, ...former])
      .filter((queue) => nameOf(queue) > cursor)
      .toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
    const shown = behind.slice(0, limit);
    const last = shown.at(-1);
    const named = tenant === undefined ? '' : `tenant=${encodeURIComponent(tenant)}&`;
    await inTurn(context.caller.name, response, async () => {
      response.json({
        value: await describeAll(shown, { layouts, peekQueue }),
        ...(behind.length > limit && last
          ? { nextLink: `/v1/queues?${named}limit=${limit}&cursor=${writePosition(nameOf(last))}` }
          : {}),
      });
    });
  },
});

/** @throws where not one of them can be read: then it is no matter of one queue */
async function describeAll(
  queues: readonly Queue[],
  { layouts, peekQueue }: Pick<ServiceDependencies, 'layouts' | 'peekQueue'>,
) {
  const errors: unknown[] = [];
  const summaries = await Promise.all(
    queues.map(async (queue) => {
      const { tenant, operation } = queue;
      try {
        if (!layouts.isClaimed(queue)) await layouts.claim(queue);
        return describe(queue, await peekQueue(queue).readState());
      } catch (error) {
        errors.push(error);
        return { tenant, operation, isReadable: false };
      }
    }),
  );
  const away = errors.filter((error) => !(error instanceof LayoutError));
  if (away.length > 0 && errors.length === queues.length) throw away[0];
  return summaries;
}

function describe(of: Queue, state: QueueState) {
  const { tenant, operation, limits, nextSlotAt, hold, queue } = describeQuota(state, undefined, of);
  const { queued, dispatching, oldestWaitSeconds, expectedDrainAt } = queue;
  const counts = { queued, dispatching, oldestWaitSeconds, expectedDrainAt };
  return { tenant, operation, isReadable: true, limits, nextSlotAt, hold: hold?.reason ?? null, ...counts };
}
