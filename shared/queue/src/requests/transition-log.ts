import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import { traceContext, traceIdOf } from '@diq/contracts/trace-context.ts';
import type { MovedRequests } from '../tasks/task-store.ts';
import { storeKeys } from '../store-keys.ts';
import { docFields, joinDoc } from './stored-request.ts';

/** Where the lines go: a pino logger. */
export interface RequestLogSink {
  info(fields: object, message: string): void;
  isLevelEnabled(level: string): boolean;
}

/** Requests read at once: some two milliseconds of Redis' time. */
const chunkSize = 250;
/** Requests whose lines may wait for their records. What comes on top is written at once, with its ids alone. */
export const maxWaiting = 20_000;

const about = z.object({
  machineId: z.string().optional(),
  correlation: z.record(z.string(), z.string()).optional(),
  trace: traceContext.optional(),
});
const field = z.string().nullable();
const record = z.tuple([field, field], field);

export type RequestLog = ReturnType<typeof createRequestLog>;

/** Tells the log of every change of a request's status, whichever script made it. */
export function createRequestLog(
  redis: Pick<RedisConnection, 'hmget'>,
  keySpace: string,
  logger: RequestLogSink,
) {
  const keys = storeKeys(keySpace);
  let waiting = 0;
  let isClosed = false;
  let last = Promise.resolve();

  async function read(ids: readonly string[]): Promise<object[]> {
    const found = ids.map((id) => redis.hmget(keys.request(id), 'batch', 'task', ...docFields));
    return (await Promise.all(found)).map(describe);
  }

  async function write(move: Parameters<RequestLog['moved']>[0]): Promise<void> {
    for (let i = 0; i < move.requestIds.length; i += chunkSize) {
      const ids = move.requestIds.slice(i, i + chunkSize);
      const records = await read(ids).catch(() => []);
      tell(move, ids, records);
    }
  }

  function tell(
    move: Parameters<RequestLog['moved']>[0],
    ids: readonly string[],
    records: readonly object[],
  ): void {
    const { requestIds: _, from, status, ...facts } = move;
    for (const [i, requestId] of ids.entries()) {
      logger.info({ requestId, ...records[i], from, to: status, ...facts }, 'request moved');
    }
  }

  return {
    /**
     * One line for each of the requests, soon: what the line tells of a request beside its ids is read from its record
     * first. Nothing waits for it or fails by it; without Redis the lines are shorter.
     */
    moved(move: MovedRequests & { outcome?: string }): void {
      if (!logger.isLevelEnabled('info')) return;
      const { length } = move.requestIds;
      if (isClosed || waiting + length > maxWaiting) {
        tell(move, move.requestIds, []);
        return;
      }
      waiting += length;
      last = last.then(() => write(move)).finally(() => (waiting -= length));
    },
    /** Resolves when everything reported so far is written; later moves are written as they come, with their ids alone. */
    close(): Promise<void> {
      isClosed = true;
      return last;
    },
  };
}

/** Whatever stands there: a record that cannot be read must not keep the others from the log. */
function describe(reply: unknown): object {
  const [batchId, taskId, ...doc] = record.safeParse(reply).data ?? [null, null];
  const { machineId, correlation, trace } = readDoc(joinDoc(doc));
  return {
    ...(batchId === null ? {} : { batchId }),
    ...(taskId === null ? {} : { taskId }),
    ...(machineId === undefined ? {} : { machineId }),
    ...(correlation === undefined ? {} : { correlation }),
    ...(trace === undefined ? {} : { traceId: traceIdOf(trace) }),
  };
}

function readDoc(doc: string | null): z.output<typeof about> {
  try {
    return about.safeParse(JSON.parse(doc ?? '{}')).data ?? {};
  } catch {
    return {};
  }
}
