import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { loadScript } from '@diq/redis/script.ts';
import { entryOf } from '../operations/audit-log.ts';
import type { Actor } from '../operations/audit-log.ts';
import type { MovedRequests } from '../tasks/task-store.ts';
import { createJobRepositioning } from '../scheduling/job-queue.ts';
import { flowOf } from '../scheduling/order.ts';
import type { OrderRules } from '../scheduling/order.ts';
import { movingKeys, storeKeys } from '../store-keys.ts';
import { askedFor, docFields, joinDoc } from './stored-request.ts';
import type { JobQueue } from '../scheduling/job-queue.ts';

/** Done, or what the request is instead of queued. */
export type ActionAnswer =
  | { kind: 'done' }
  | { kind: 'not-queued'; status: RequestStatus }
  | { kind: 'missing' }
  | { kind: 'changed-too-often' };

/** What may be changed of a request; `null` takes a deadline away. */
export interface RequestChange {
  priority?: Priority | undefined;
  /** ISO 8601 in UTC, in the future. */
  notAfter?: string | null | undefined;
}

/** What can be done to one request while it is queued. Each is one script, and leaves its entry in the record. */
/** Each change leaves an entry in the record, which is kept for long. */
export const maxChanges = 20;

export interface RequestActionsOptions {
  redis: RedisConnection;
  keySpace: string;
  jobs: Pick<JobQueue, 'remove' | 'setJobPriorities'>;
  order: OrderRules;
  retentionMs: number;
  /** How long entries of the record are kept. */
  auditKeptMs: number;
  onMoved?: ((move: MovedRequests) => void) | undefined;
}

const actionScript = (name: string) =>
  loadScript(new URL(`../lua/${name}.lua`, import.meta.url), { whenFull: true });
const cancelScript = actionScript('cancel');
const changeScript = actionScript('change');
const headScript = actionScript('move-to-head');
const reply = z.tuple([
  z.enum(['cancelled_now', 'changed', 'moved', 'outdated', 'worn', 'missing', ...requestStatuses]),
  z.string(),
  z.number(),
]);

export type RequestActions = ReturnType<typeof createRequestActions>;

export function createRequestActions(options: RequestActionsOptions) {
  const { redis, keySpace, jobs, order, retentionMs, auditKeptMs, onMoved } = options;
  const keys = storeKeys(keySpace);
  const repositionJobs = createJobRepositioning(redis, keySpace, jobs);

  async function ask(script: typeof cancelScript, ...args: (string | number)[]) {
    const [kind, taskId, number] = reply.parse(
      await script(redis, movingKeys(keySpace), [keySpace, retentionMs, ...args, auditKeptMs]),
    );
    return { kind, taskId, number };
  }

  return {
    /** Takes it out of its task; with the last request the task and its job go. */
    async cancel(id: string, actor: Actor): Promise<ActionAnswer> {
      const entry = JSON.stringify(entryOf('cancel', actor, { requestId: id }));
      const { kind, taskId, number: hasEnded } = await ask(cancelScript, id, entry, actor.name);
      if (kind !== 'cancelled_now') return refusalOf(kind);
      onMoved?.({ requestIds: [id], from: 'queued', status: 'cancelled', taskId });
      if (hasEnded === 1) await jobs.remove(taskId);
      return { kind: 'done' };
    },
    async change(id: string, change: RequestChange, actor: Actor): Promise<ActionAnswer> {
      const entry = JSON.stringify(entryOf('change', actor, { requestId: id, change }));
      for (;;) {
        const [caller, caller1, ...parts] = await redis.hmget(
          keys.request(id),
          'caller',
          'caller1',
          ...docFields,
        );
        const known = joinDoc(parts);
        if (known === null) return { kind: 'missing' };
        // It stays charged to the caller who asked for it, not to the one who changes it.
        const whose = caller ? caller + (caller1 ?? '') : actor.name;
        const { doc, notAfterMs, flow, arrivedAtMs } = changed(known, change, whose);
        const args = [
          id,
          known,
          doc,
          notAfterMs ?? '',
          flow,
          arrivedAtMs,
          JSON.stringify(order),
          entry,
          maxChanges,
          actor.name,
        ];
        const { kind, taskId, number: jobPriority } = await ask(changeScript, ...args);
        if (kind === 'outdated') continue;
        if (kind === 'worn') return { kind: 'changed-too-often' };
        if (kind !== 'changed') return refusalOf(kind);
        await repositionJobs([{ taskId, jobPriority }]);
        return { kind: 'done' };
      }
    },
    /** Its task goes next, before all that were moved to the head earlier. */
    async moveToHead(id: string, actor: Actor): Promise<ActionAnswer> {
      const entry = JSON.stringify(entryOf('move_to_head', actor, { requestId: id }));
      const { kind, taskId, number: jobPriority } = await ask(headScript, id, entry);
      if (kind !== 'moved') return refusalOf(kind);
      await repositionJobs([{ taskId, jobPriority }]);
      return { kind: 'done' };
    },
  };
}

function changed(known: string, { priority, notAfter }: RequestChange, caller: string) {
  const { notAfter: oldDeadline, ...asked } = askedFor.parse(JSON.parse(known));
  const deadline = notAfter === undefined ? oldDeadline : (notAfter ?? undefined);
  return {
    doc: JSON.stringify({
      ...asked,
      ...(priority === undefined ? {} : { priority }),
      ...(deadline === undefined ? {} : { notAfter: deadline }),
    }),
    notAfterMs: deadline === undefined ? undefined : Date.parse(deadline),
    flow: flowOf(asked.source, caller),
    arrivedAtMs: asked.at,
  };
}

function refusalOf(kind: z.output<typeof reply>[0]): ActionAnswer {
  if (kind === 'missing') return { kind };
  const status = requestStatuses.find((one) => one === kind);
  if (status === undefined) throw new Error(`an action was answered '${kind}'`);
  return { kind: 'not-queued', status };
}
