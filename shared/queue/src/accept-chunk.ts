import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { loadScript } from '@diq/quota/script.ts';
import type { OrderRules } from './order.ts';
import { movingKeys } from './store-keys.ts';

/** A request about to be recorded, with the id its dispatch gets if it needs a new one. */
export interface NewRequest {
  id: string;
  newDispatchId: string;
  machineId: string;
  /** JSON of what the caller asked; it never changes. */
  doc: string;
  priority: Priority;
  /** Whose turn it uses, see `turnOf`. */
  turnOf: string;
  notAfterMs: number | undefined;
  source?: string | undefined;
  /** Where its caller wants to be told of its end. */
  callback?: string | undefined;
  /** It is to share no investigation that was started before. */
  force?: boolean | undefined;
}

/** What every request of a chunk is recorded by. */
export interface AcceptRules {
  order: OrderRules;
  /** An investigation that was started less than this ago is shared; 0: none is. */
  reuseWindowMs: number;
  /** Requests that may join one dispatch. */
  maxJoined: number;
  retentionMs: number;
}

const outcomes = ['new', 'joined', 'lifted', 'reused', 'full'] as const;

/** Where a request was placed. */
export interface Placement {
  /**
   * `lifted`: joined, and the dispatch has a better place than its ticket. `reused`: it has no dispatch that waits, but
   * an investigation that was started before. `full`: too many have joined already, and it was not recorded.
   */
  outcome: (typeof outcomes)[number];
  dispatchId: string;
  /** The request that it shares its investigation with: the first of the dispatch, if there was one already. */
  joined: string | undefined;
  /** The dispatch's; 0 where none waits. */
  rank: number;
  investigationId: string | undefined;
}

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const script = loadScript(...['indexes', 'detach', 'order', 'accept'].map(scriptFile));

const text = z.string().transform((given) => (given === '' ? undefined : given));
const placed = z
  .tuple([z.string(), text, z.coerce.number(), z.enum(outcomes), text])
  .transform(([dispatchId, joined, rank, outcome, investigationId]): Placement => ({
    outcome,
    dispatchId,
    joined,
    rank,
    investigationId,
  }));
const reply = z.array(z.string());
const partsPerRequest = 5;

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

/**
 * Records some hundred requests with their dispatches in one script; see `lua/accept.lua`.
 *
 * @throws OrderScaleError
 */
export async function acceptChunk(
  redis: Redis,
  keySpace: string,
  { requests, batchId, nowMs }: { requests: readonly NewRequest[]; batchId: string; nowMs: number },
  { order, reuseWindowMs, maxJoined, retentionMs }: AcceptRules,
): Promise<Placement[]> {
  const about = [batchId, nowMs, JSON.stringify(order), reuseWindowMs, maxJoined];
  const args = [keySpace, retentionMs, ...about, ...requests.flatMap(argumentsOf)];
  const parts = reply.parse(await script(redis, movingKeys(keySpace), args).catch(refuseScale));
  return requests.map((_, i) => placed.parse(parts.slice(partsPerRequest * i, partsPerRequest * (i + 1))));
}

function argumentsOf(request: NewRequest): (string | number)[] {
  const { id, machineId, doc, newDispatchId, priority, turnOf, notAfterMs, source, callback, force } =
    request;
  return [
    id,
    machineId,
    doc,
    newDispatchId,
    priority,
    turnOf,
    notAfterMs ?? '',
    source ?? '',
    callback ?? '',
    force === true ? 1 : '',
  ];
}

function refuseScale(error: unknown): never {
  const isOffScale = error instanceof Error && error.message.includes('ORDER_SCALE');
  throw isOffScale ? new OrderScaleError({ cause: error }) : error;
}
