import type { RedisConnection } from '@diq/redis/connection.ts';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { loadScript } from '@diq/redis/script.ts';
import type { BacklogBounds } from './backlog-reservation.ts';
import { settleMs } from '../machine-order/machine-order.ts';
import type { Sharing } from './sharing.ts';
import { digestSize } from '../requests/correlation-digest.ts';
import type { OrderRules } from '../scheduling/order.ts';
import { movingKeys } from '../store-keys.ts';

/** A request about to be recorded, with the id its task gets if it needs a new one. */
export interface NewRequest {
  id: string;
  newTaskId: string;
  machineId: string;
  /** Requests with the same one share a call, see `sharing.ts`. */
  key: string;
  /** JSON of what the caller asked; it never changes. */
  doc: string;
  priority: Priority;
  /** The flow that it is charged to, see `flowOf`. */
  flow: string;
  notAfterMs: number | undefined;
  source?: string | undefined;
  /** By which it is found, see `digestsOf`. */
  digests?: string | undefined;
  /** The callback URL for its end. */
  callback?: string | undefined;
  /** The request that it retries. */
  retryOf?: string | undefined;
  /** It is to share nothing that was started before. */
  force?: boolean | undefined;
  /** What counts for it among the bytes that are stored of its caller. */
  bytes: number;
}

/** What every request of a chunk is recorded by. */
export interface AcceptRules {
  order: OrderRules;
  /** What was started less than this ago is shared, where the operation allows it; 0: nothing is. */
  reuseWindowMs: number;
  sharing: Sharing;
  /** Requests that may join one task. */
  maxJoined: number;
  /** Of them, requests of one caller; one that is not known has no bound. */
  maxJoinedOfCaller: number;
  retentionMs: number;
}

const outcomes = ['new', 'joined', 'promoted', 'reused', 'full', 'deleted', 'retried'] as const;

/** Where a request was placed. */
export interface Placement {
  /**
   * `promoted`: joined, and the task has a better place than its job. `reused`: it has no task that waits, but
   * what was started before. `full`: too many have joined already, or
   * too many of its caller, and it was not recorded; with a job priority, it has promoted the task all the same.
   * `deleted`: its batch was accepted before, and it was deleted since. `retried`: it was not recorded, for what it retries was
   * retried before, or is gone.
   */
  outcome: (typeof outcomes)[number];
  taskId: string;
  /** The request that it shares its result with: the first of the task, if there was one already. */
  joined: string | undefined;
  /** The task's; 0 where none waits. */
  jobPriority: number;
  /** What it ended with: only of `reused`. */
  resultId: string | undefined;
}

const script = loadScript(new URL('../lua/accept.lua', import.meta.url));

const text = z.string().transform((given) => (given === '' ? undefined : given));
const placed = z
  .tuple([z.string(), text, z.coerce.number(), z.enum(outcomes), text])
  .transform(([taskId, joined, jobPriority, outcome, resultId]): Placement => ({
    outcome,
    taskId,
    joined,
    jobPriority,
    resultId,
  }));
const reply = z.array(z.string());
const partsPerRequest = 5;
/** Requests per script: about 5 ms of Redis' time, so that a large batch does not keep others waiting. */
export const chunkSize = 250;
/** Pairs of their correlations that are entered by one script, but for those of its last request. */
const pairsPerChunk = 1_000;

/** Requests in their order, as many together as are recorded by one script. */
export function* chunksOf(requests: readonly NewRequest[]): Generator<readonly NewRequest[]> {
  let [first, digits] = [0, 0];
  for (const [i, { digests = '' }] of requests.entries()) {
    digits += digests.length;
    if (i + 1 - first < chunkSize && digits < pairsPerChunk * digestSize) continue;
    yield requests.slice(first, i + 1);
    [first, digits] = [i + 1, 0];
  }
  if (first < requests.length) yield requests.slice(first);
}

/** A request arrives later than the last of the queue's priorities tells. Accepting it would turn the order upside down. */
export class OrderScaleError extends RangeError {
  constructor(options: ErrorOptions) {
    super(
      'The queue has not been empty for almost four years and has no priorities left: let it run empty.',
      options,
    );
    this.name = 'OrderScaleError';
  }
}

/** As many wait as may: nothing was recorded. */
export class BacklogFullError extends Error {
  /** What waits, with what is being recorded at this moment. */
  readonly requests: number;
  readonly tasks: number;
  /** Requests of the caller. */
  readonly ofCaller: number;

  constructor(requests: number, tasks: number, ofCaller: number) {
    super(`${requests} requests are queued, and ${tasks} tasks wait.`);
    this.name = 'BacklogFullError';
    this.requests = requests;
    this.tasks = tasks;
    this.ofCaller = ofCaller;
  }
}

/** As many bytes of the caller are stored as may: nothing was recorded. */
export class StorageFullError extends Error {
  /** With those that room is kept for at this moment. */
  readonly storedBytes: number;

  constructor(storedBytes: number) {
    super(`${storedBytes} bytes of the caller are stored.`);
    this.name = 'StorageFullError';
    this.storedBytes = storedBytes;
  }
}

/** Requests of one arrival. */
export interface Chunk {
  requests: readonly NewRequest[];
  /** Without it they belong to none. */
  batchId?: string;
  nowMs: number;
  /** Who asked, by the name of the credential; kept with each request. */
  caller?: string | undefined;
  /** Nothing is retried that was retried before. */
  isRetriedOnce?: boolean | undefined;
  /** Held against what waits; without them there is room for the requests, see `backlog-reservation.ts`. */
  bounds?: BacklogBounds | undefined;
}

/** The open task of a coalescing key as a dry run leaves it; what else the script knows of it goes back to the script. */
const openTask = z.looseObject({ state: z.string() });
const openTasks = z.record(z.string(), openTask);

/** What the chunks of a dry run have come to so far. */
export interface DryRunState {
  /** As the script left it; `undefined` before the first chunk. */
  order: string | undefined;
  /** By coalescing key. */
  open: Map<string, z.output<typeof openTask>>;
}

/** Records some hundred requests with their tasks in one script, or only says where they would be placed; see `lua/accept.lua`. */
export function createAcceptChunk(
  redis: RedisConnection,
  keySpace: string,
  { order, reuseWindowMs, sharing, maxJoined, maxJoinedOfCaller, retentionMs }: AcceptRules,
) {
  const keys = movingKeys(keySpace);
  const orderRules = JSON.stringify(order);
  const reuseForMs = sharing.isReusable ? reuseWindowMs : 0;

  async function run(
    { requests, batchId = '', nowMs, caller = '', bounds, isRetriedOnce = false }: Chunk,
    before: string[],
  ) {
    const about = [keySpace, retentionMs, batchId, nowMs, orderRules, reuseForMs, maxJoined];
    const most = [bounds?.requests ?? '', bounds?.tasks ?? ''];
    const ofCaller = [caller, bounds?.ofCaller ?? '', maxJoinedOfCaller, bounds?.bytesOfCaller ?? ''];
    const args = [
      ...about,
      ...most,
      ...ofCaller,
      ...before,
      isRetriedOnce ? 1 : '',
      sharing.order === undefined ? 0 : settleMs,
      ...requests.flatMap(argumentsOf),
    ];
    const parts = reply.parse(await script(redis, keys, args).catch(refuse));
    const placements = requests.map((_, i) =>
      placed.parse(parts.slice(partsPerRequest * i, partsPerRequest * (i + 1))),
    );
    return { placements, left: parts.slice(partsPerRequest * requests.length) };
  }

  return {
    /** @throws OrderScaleError  @throws BacklogFullError  @throws StorageFullError */
    async accept(chunk: Chunk): Promise<Placement[]> {
      return (await run(chunk, ['', '{}'])).placements;
    },
    /**
     * Writes nothing. `state` is of the chunks before and takes this one in.
     *
     * @throws OrderScaleError
     */
    async dryRun(chunk: Chunk, state: DryRunState): Promise<Placement[]> {
      const open = chunk.requests.flatMap(({ key }) => {
        const task = state.open.get(key);
        return task ? [[key, task] as const] : [];
      });
      const before = [state.order ?? 'none', JSON.stringify(Object.fromEntries(open))];
      const { placements, left } = await run(chunk, before);
      const [order, opened = ''] = left;
      state.order = order;
      for (const [key, task] of Object.entries(openTasks.parse(JSON.parse(opened))))
        state.open.set(key, task);
      return placements;
    },
  };
}

function argumentsOf(request: NewRequest): (string | number)[] {
  const {
    id,
    machineId,
    key,
    doc,
    newTaskId,
    priority,
    flow,
    notAfterMs,
    source,
    callback,
    force,
    bytes,
    digests,
    retryOf,
  } = request;
  return [
    id,
    machineId,
    doc,
    newTaskId,
    priority,
    flow,
    notAfterMs ?? '',
    source ?? '',
    callback ?? '',
    force === true ? 1 : '',
    bytes,
    key,
    digests ?? '',
    retryOf ?? '',
  ];
}

function refuse(error: unknown): never {
  const said = error instanceof Error ? error.message : '';
  if (said.includes('ORDER_SCALE')) throw new OrderScaleError({ cause: error });
  const [, stored] = /STORAGE_FULL (\d+)/.exec(said) ?? [];
  if (stored !== undefined) throw new StorageFullError(Number(stored));
  const [, requests, tasks, ofCaller] = /BACKLOG_FULL (\d+) (\d+) (\d+)/.exec(said) ?? [];
  if (requests === undefined) throw error;
  throw new BacklogFullError(Number(requests), Number(tasks), Number(ofCaller));
}
