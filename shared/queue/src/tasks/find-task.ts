import type { RedisConnection } from '@diq/redis/connection.ts';
import { plainPipeline } from '@diq/redis/plain-pipeline.ts';
import { z } from 'zod';
import type { Parameters } from '@diq/contracts/operations/profile.ts';
import { priorities } from '@diq/contracts/priority.ts';
import type { Priority } from '@diq/contracts/priority.ts';
import { requestError } from '@diq/contracts/request-document.ts';
import type { RequestError } from '@diq/contracts/request-document.ts';
import type { TraceContext } from '@diq/contracts/trace-context.ts';
import { joinComments, maxRemarks } from './merge-comments.ts';
import type { Remark } from './merge-comments.ts';
import { taskStates } from './task-states.ts';
import type { TaskState } from './task-states.ts';
import { storeKeys } from '../store-keys.ts';
import { parseStoredRequest } from '../requests/stored-request.ts';
import type { StoredRequest } from '../requests/stored-request.ts';
import { repliesOf } from '../scheduling/job-queue.ts';

/**
 * Why it is not known what a call came to: its answer was `lost`, it `failed` by an answer that leaves open what was
 * done, again and again while others do not (`failed_alone`), or an investigation is `running` already that Defender did not name.
 */
export const unresolvedCauses = ['lost', 'failed', 'failed_alone', 'running'] as const;

export interface UnresolvedOutcome {
  cause: (typeof unresolvedCauses)[number];
  /** The error of the requests while Defender is being asked. */
  error: RequestError;
}

/** One intended Defender call, with what its requesters asked. */
export interface Task {
  id: string;
  state: TaskState;
  machineId: string;
  /** Of all its requesters, see `joinComments`. */
  comment: string;
  /** What they asked beside: the same for all that share a call. */
  parameters: Parameters;
  /** When its first request arrived. */
  createdAtMs: number;
  jobPriority: number;
  /** The most urgent class of its requests. */
  priority: Priority;
  /** No call after this time; only when every request has a deadline. */
  notAfterMs: number | undefined;
  /** The call it is, or was last, in the hands of. */
  callId: string | undefined;
  sentAtMs: number | undefined;
  /** Calls made for it so far whose outcome is known or looked up. */
  calls: number;
  /** What is being looked up, while it is, and since when. */
  unresolved: UnresolvedOutcome | undefined;
  unresolvedSinceMs: number | undefined;
  /** Its place in the order of its machine, where its operation has one; see `machine-order/`. */
  turn?: { key: string; place: string };
  /** Of its first request. */
  trace?: TraceContext;
  /** Of some of those that joined, each once. */
  joinedTraces?: readonly TraceContext[];
}

const storedTask = z.object({
  state: z.enum(taskStates),
  machine: z.string(),
  first: z.string(),
  jobPriority: z.coerce.number(),
  priority: z.enum(priorities),
  createdAt: z.coerce.number(),
  notAfter: z.coerce.number().optional(),
  call: z.string().optional(),
  sentAt: z.coerce.number().optional(),
  calls: z.coerce.number().default(0),
  cause: z.enum(unresolvedCauses).optional(),
  error: z.string().optional(),
  unresolvedSince: z.coerce.number().optional(),
});

const hash = z.record(z.string(), z.string());
const commentReply = z.tuple([hash, z.array(z.string()), z.number()]);

/** A task by its id; `undefined` for an unknown one. */
export function findTask(redis: RedisConnection, keySpace: string) {
  const keys = storeKeys(keySpace);

  async function contentOf(id: string, firstId: string): Promise<Content | undefined> {
    const joinedKey = `${keys.task(id)}:joined`;
    const pipeline = plainPipeline(redis);
    pipeline
      .hgetall(keys.request(firstId))
      .zrange(joinedKey, 0, String(maxRemarks - 2))
      .zcard(joinedKey);
    const [firstHash, otherIds, joined] = commentReply.parse(await repliesOf(pipeline));
    const first = parseStoredRequest(firstId, firstHash);
    if (!first) return undefined;
    const reading = plainPipeline(redis);
    for (const otherId of otherIds) reading.hgetall(keys.request(otherId));
    const hashes = z.array(hash).parse(otherIds.length > 0 ? await repliesOf(reading) : []);
    const others = otherIds.flatMap((otherId, i) => parseStoredRequest(otherId, hashes[i] ?? {}) ?? []);
    return {
      parameters: first.document.parameters ?? {},
      comment: joinComments([remarkOf(first), ...others.map(remarkOf)], joined - otherIds.length),
      ...(first.turn === undefined ? {} : { turn: first.turn }),
      ...tracesOf(first, others),
    };
  }

  return async (id: string): Promise<Task | undefined> => {
    const found = await redis.hgetall(keys.task(id));
    if (found['state'] === undefined) return undefined;
    const stored = storedTask.parse(found);
    const content = await contentOf(id, stored.first);
    return content && toTask(id, stored, content);
  };
}

function remarkOf({ document: { comment, source }, caller }: StoredRequest): Remark {
  return { comment, source, caller };
}

/** What a task has of its requests. */
type Content = Pick<Task, 'comment' | 'parameters' | 'turn' | 'trace' | 'joinedTraces'>;

function tracesOf(
  { trace }: StoredRequest,
  others: readonly StoredRequest[],
): Pick<Content, 'trace' | 'joinedTraces'> {
  const joined = new Map(others.map((other) => [other.trace?.traceparent, other.trace]));
  joined.delete(trace?.traceparent);
  const joinedTraces = [...joined.values()].filter((one) => one !== undefined);
  return {
    ...(trace === undefined ? {} : { trace }),
    ...(joinedTraces.length === 0 ? {} : { joinedTraces }),
  };
}

function toTask(id: string, stored: z.output<typeof storedTask>, content: Content): Task {
  return {
    id,
    state: stored.state,
    machineId: stored.machine,
    ...content,
    createdAtMs: stored.createdAt,
    jobPriority: stored.jobPriority,
    priority: stored.priority,
    notAfterMs: stored.notAfter,
    callId: stored.call === '' ? undefined : stored.call,
    sentAtMs: stored.sentAt,
    calls: stored.calls,
    unresolved:
      stored.cause === undefined || stored.error === undefined
        ? undefined
        : { cause: stored.cause, error: requestErrorOf(stored.error) },
    unresolvedSinceMs: stored.unresolvedSince,
  };
}

function requestErrorOf(json: string): RequestError {
  return requestError.parse(JSON.parse(json));
}
