import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';
import type { FaultWorld } from './fault-world.ts';
import { createRandom } from './random.ts';
import type { Arrival, PlannedItem } from './schedule.ts';

const batchReply = z.object({
  id: z.string(),
  items: z.array(
    z.object({ id: z.string(), machineId: z.string(), status: z.enum(['accepted', 'coalesced']) }),
  ),
});

/** A request whose 202 arrived. */
export interface AcknowledgedRequest {
  readonly id: string;
  readonly batchId: string;
  readonly machineId: string;
  /** Unique to this item of this POST, and passed on to Defender: so every call names the request it is made for. */
  readonly comment: string;
  /** When the POST began and when its answer was there, by the wall clock. */
  readonly postedAtMs: number;
  readonly acknowledgedAtMs: number;
}

export interface Load {
  readonly acknowledged: readonly AcknowledgedRequest[];
  /** POSTs by how they ended: accepted, refused with a status, lost without an answer. */
  readonly posts: Readonly<Record<'accepted' | 'refused' | 'lost', number>>;
  /** Posts no further batch and waits until those under way are accepted. */
  stop(): Promise<void>;
}

/** An answer that takes longer counts as lost: many a caller gives up sooner. */
const answerWithinMs = 5_000;
const beforeRepeatMs = 250;

/**
 * Posts batch after batch, to one intake or another. A POST that was refused or lost is posted again with the same
 * items until one is accepted; the lost one may have been accepted too, and is judged by what stands in Redis.
 */
export function startLoad(
  world: FaultWorld,
  arrivals: Iterator<Arrival>,
  { round, seed }: { round: number; seed: number },
): Load {
  const random = createRandom(seed);
  const acknowledged: AcknowledgedRequest[] = [];
  const posts = { accepted: 0, refused: 0, lost: 0 };
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let batches = 0;
  let burst = 0;
  const onBurst = (wanted: number) => void (burst += wanted);
  world.moments.on('burst', onBurst);

  async function post(items: readonly PlannedItem[], name: string): Promise<'accepted' | 'refused' | 'lost'> {
    const postedAtMs = Date.now();
    const requests = items.map((item, i) => ({ ...item, comment: `${name}, item ${i + 1}` }));
    const intake = world.intakeFleet.members.length > 0 ? world.intakeFleet.pick(random) : undefined;
    world.moments.emit('post');
    const reply = intake && (await postBatch(intake.ready.port, world.apiKey, requests));
    if (reply === undefined) return 'lost';
    if (reply === 'refused') return 'refused';
    const acknowledgedAtMs = Date.now();
    for (const [i, { id, machineId }] of reply.items.entries()) {
      acknowledged.push({
        id,
        batchId: reply.id,
        machineId,
        comment: requests[i]?.comment ?? '',
        postedAtMs,
        acknowledgedAtMs,
      });
    }
    return 'accepted';
  }

  async function postUntilAccepted(items: readonly PlannedItem[], batch: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const end = await post(items, `round ${round}, batch ${batch}, post ${attempt}`);
      posts[end] += 1;
      if (end === 'accepted') return;
      await delay(beforeRepeatMs);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const { value } = arrivals.next() as IteratorYieldResult<Arrival>;
      const afterMs = burst > 0 ? 0 : value.afterMs;
      burst = Math.max(0, burst - 1);
      await delay(afterMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      batches += 1;
      const posting = postUntilAccepted(value.items, batches).finally(() => underWay.delete(posting));
      underWay.add(posting);
    }
    await Promise.all(underWay);
  }

  const running = run();
  return {
    acknowledged,
    posts,
    async stop() {
      world.moments.off('burst', onBurst);
      stopping.abort();
      await running;
    },
  };
}

async function postBatch(port: number, apiKey: string, requests: readonly object[]) {
  try {
    const response = await request(`http://127.0.0.1:${port}/v1/batches`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ requests }),
      signal: AbortSignal.timeout(answerWithinMs),
    });
    const body = await response.body.json();
    return response.statusCode === 202 ? batchReply.parse(body) : ('refused' as const);
  } catch (error) {
    if (error instanceof z.ZodError) throw error;
    return undefined;
  }
}
