import type { RequestDocument } from '@diq/contracts/request-document.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import type { PlacedRequest } from '@diq/queue/requests/stored-request.ts';
import type { QueueOrder } from '@diq/queue/scheduling/queue-order.ts';
import type { Backlog } from '@diq/queue/requests/request-reader.ts';
import type { LedgerSnapshot } from '@diq/quota/ledger/replies.ts';
import { cachedReading, type ReadingPace } from '@diq/runtime/async/memoize.ts';
import { createEstimate } from '../estimates/calls-ahead.ts';
import type { FirstOn } from './blocked-view.ts';
import { describePlacement, type PlacementRules } from './placement-view.ts';
import { describeBlockedCalls, describeNextCalls } from './queue-order-view.ts';

/** How old a sample of the order may be: however many ask for their requests, it is read so often. */
const sampleMaxAgeMs = 2_000;

export type ExplainPlace = ReturnType<typeof createExplainPlace>;

/** Tells why calls stand where they do. */
export function createExplainPlace(deps: {
  order: QueueOrder;
  backlog: () => Promise<Pick<Backlog, 'waitingTasks' | 'waitingByPriority'>>;
  ledgerSnapshot: () => Promise<LedgerSnapshot>;
  firstOn: FirstOn;
  rules: PlacementRules;
  /** Of the samples of all queues. */
  pace?: ReadingPace;
}) {
  const { order, rules } = deps;
  const readSample = cachedReading(
    async () => ({ estimate: createEstimate(await order.sample()), atMs: performance.now() }),
    sampleMaxAgeMs,
    deps.pace,
  );

  return {
    /** Adds its placement to the document of a request that is queued and has a place. */
    async explain(
      document: RequestDocument,
      { position, place, caller }: Pick<PlacedRequest, 'position' | 'place' | 'caller'>,
    ): Promise<RequestDocument> {
      if (document.status !== 'queued' || position === undefined || !place) return document;
      const isFirst = place.first === document.id;
      const [{ estimate, atMs }, first] = await Promise.all([
        readSample(),
        isFirst ? { source: document.source, caller } : order.firstOf(place.first),
      ]);
      const placed = {
        place,
        source: first.source,
        caller: place.flowCaller ?? first.caller,
        ahead: estimate(position, { isOld: performance.now() - atMs > sampleMaxAgeMs }),
      };
      return { ...document, placement: describePlacement(placed, rules, document.id) };
    },
    /** The first ones in the order, and how many wait. */
    async nextCalls(limit: number) {
      const [tasks, aside, view, { waitingTasks, waitingByPriority }] = await Promise.all([
        order.next(limit),
        order.aside(limit),
        deps.ledgerSnapshot(),
        deps.backlog(),
      ]);
      return {
        waiting: waitingTasks,
        keptForCritical: {
          slots: rules.reserveForCritical,
          criticalWaiting: waitingByPriority['critical' satisfies Priority],
        },
        value: describeNextCalls(tasks, view, rules),
        blocked: await describeBlockedCalls(aside, deps.firstOn),
      };
    },
  };
}
