import type { Redis } from 'ioredis';
import { priorities } from '@diq/contracts/priority.ts';
import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import type { AcceptRules } from '../admission/accept-chunk.ts';
import { defaultMaxJoined, defaultMaxJoinedOfCaller } from '../admission/accept-requests.ts';
import { defaultOrderRules } from '../scheduling/order.ts';
import type { Candidate, OrderSnapshot } from './positions.ts';
import { createPreviewLine, floorOf } from './fair-queue.ts';
import type { Standing } from './fair-queue.ts';
import { createPreviewReader } from './read-snapshot.ts';
import type { KnownTask, RecentStart } from './read-snapshot.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

export type PreviewItem = Pick<InvestigationItem, 'machineId' | 'priority' | 'source'> & {
  force?: boolean | undefined;
};

/** What accepting these items now would start from. Reads only, and may be out of date by the time they are accepted. */
export interface Preview extends OrderSnapshot {
  /** In the order of the items. */
  candidates: Candidate[];
}

export interface RequestPreview {
  read(items: readonly PreviewItem[], nowMs: number, caller?: string): Promise<Preview>;
  /** How many jobs wait: with those that are added, no place can be behind that. */
  countWaiting(): Promise<number>;
  /** Whether a request is recorded under each of these ids. */
  areRecorded(requestIds: readonly string[]): Promise<boolean[]>;
}

/** Requests that have joined a task, and those of the caller among them. */
type Joined = Pick<KnownTask, 'joined' | 'joinedOfCaller'>;

export type PreviewRules = Partial<
  Pick<AcceptRules, 'order' | 'reuseWindowMs' | 'maxJoined' | 'maxJoinedOfCaller'>
>;

/** By the same rules as `accept.lua`, which the items would be accepted by. */
export function createRequestPreview(
  redis: Redis,
  keySpace: string,
  jobs: Pick<JobQueue, 'positions' | 'countUpTo' | 'countReady'>,
  {
    order = defaultOrderRules,
    reuseWindowMs = 0,
    maxJoined = defaultMaxJoined,
    maxJoinedOfCaller = defaultMaxJoinedOfCaller,
  }: PreviewRules = {},
): RequestPreview {
  const reader = createPreviewReader(redis, keySpace, jobs);

  return {
    countWaiting: () => jobs.countReady(),
    areRecorded: (requestIds) => reader.areRecorded(requestIds),
    async read(items, nowMs, caller) {
      const machineIds = [...new Set(items.map(({ machineId }) => machineId))];
      const sources = new Map(
        priorities.map((priority) => {
          const ofClass = items.filter((item) => item.priority === priority);
          return [priority, [...new Set(ofClass.map(({ source = '' }) => source))]] as const;
        }),
      );
      const [known, recent, lines] = await Promise.all([
        reader.openTasks(machineIds, caller ?? ''),
        reuseWindowMs > 0 ? reader.recentStarts(machineIds) : new Map<string, RecentStart>(),
        reader.lines(caller ?? '', sources, (priority, line) => floorOf(order, priority, line, nowMs)),
      ]);
      const isFull = ({ joined, joinedOfCaller }: Joined) =>
        joined >= maxJoined || (caller !== undefined && joinedOfCaller >= maxJoinedOfCaller);
      const line = createPreviewLine(order, lines, nowMs);
      const opened = new Map<string, KnownTask | (Standing & Joined)>(known);

      const candidates = items.map(({ machineId, priority, source, force }): Candidate => {
        const task = opened.get(machineId);
        const start = recent.get(machineId);
        if (!task && force !== true && start && nowMs - start.startedAtMs < reuseWindowMs)
          return {
            machineId,
            aside: { kind: 'reused', with: start.with, investigationId: start.investigationId },
          };
        const standing = task
          ? line.promote(task, priority, source ?? '')
          : line.enter(priority, source ?? '');
        if (task && isFull(task)) {
          // It is promoted all the same.
          opened.set(machineId, { ...task, ...standing });
          return { machineId, aside: { kind: 'full' } };
        }
        const [joined, joinedOfCaller] = task ? [task.joined + 1, task.joinedOfCaller + 1] : [0, 0];
        opened.set(machineId, { ...task, ...standing, joined, joinedOfCaller });
        const promotes = task !== undefined && standing.rank < task.rank;
        return { machineId, rank: standing.rank, ...(promotes ? { promotes } : {}) };
      });
      const ranks = [...new Set(candidates.flatMap((one) => ('rank' in one ? [one.rank] : [])))];
      const ahead = await reader.countUpTo(ranks);
      return { candidates, open: known, ahead: new Map(ranks.map((rank, i) => [rank, ahead[i] ?? 0])) };
    },
  };
}
