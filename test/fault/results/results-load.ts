import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { FaultWorld } from '../fault-world.ts';
import { createRandom } from '../random.ts';
import type { AskedRequest } from './asked.ts';
import { familyOf, type Plan } from './plan.ts';

export interface ResultsLoad {
  readonly asked: readonly AskedRequest[];
  readonly posts: Readonly<Record<'accepted' | 'refused' | 'lost', number>>;
  readonly cancellations: Readonly<Record<'asked' | 'done', number>>;
  stop(): Promise<void>;
}

export interface ResultsLoadOptions {
  readonly plan: Plan;
  readonly seed: number;
  /** Of posts that are followed by a cancellation. */
  readonly cancelledShare: number;
  readonly callbackUrl?: string;
}

const answerWithinMs = 5_000;

/**
 * For each machine one caller who asks for one thing after the other, at intakes by turns; now and then two at once. A POST that was
 * refused or lost is not repeated: the next one is another one.
 */
export function startResultsLoad(world: FaultWorld, options: ResultsLoadOptions): ResultsLoad {
  const { plan, seed, cancelledShare, callbackUrl } = options;
  const asked: AskedRequest[] = [];
  const posts = { accepted: 0, refused: 0, lost: 0 };
  const cancellations = { asked: 0, done: 0 };
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const random = createRandom(seed);
  let number = 0;

  async function send(method: 'POST' | 'DELETE', path: string, body?: object) {
    const intake = world.intakeFleet.members.length > 0 ? world.intakeFleet.pick(random) : undefined;
    if (!intake) return undefined;
    try {
      const answer = await request(`http://127.0.0.1:${intake.ready.port}${path}`, {
        method,
        headers: { authorization: `Bearer ${world.apiKey}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      return { status: answer.statusCode, body: (await answer.body.json()) as { id?: string } };
    } catch {
      return undefined;
    }
  }

  async function post(machineId: string): Promise<void> {
    const planned = plan.next(machineId);
    const comment = `request ${(number += 1)} of run ${seed}: ${planned.operation}`;
    const postedAtMs = Date.now();
    world.moments.emit('post');
    const answer = await send('POST', '/v1/requests', {
      ...planned,
      comment,
      ...(callbackUrl !== undefined && { callbackUrl }),
    });
    const id = answer?.status === 202 ? answer.body.id : undefined;
    if (id === undefined) {
      posts[answer ? 'refused' : 'lost'] += 1;
      if (answer && answer.status < 500)
        throw new Error(`${comment}: ${answer.status} ${JSON.stringify(answer.body)}`);
      return;
    }
    posts.accepted += 1;
    const { operation } = planned;
    const family = familyOf(operation);
    asked.push({ id, operation, family, machineId, comment, postedAtMs, acknowledgedAtMs: Date.now() });
    if (!random.chance(cancelledShare)) return;
    cancellations.asked += 1;
    await delay(random.between(0, 500));
    if ((await send('DELETE', `/v1/requests/${id}`))?.status === 200) cancellations.done += 1;
  }

  async function run(machineId: string): Promise<void> {
    while (!stopping.signal.aborted) {
      await Promise.all(Array.from({ length: random.chance(0.1) ? 2 : 1 }, () => post(machineId)));
      const waitMs = random.between(0, 2 * plan.betweenMs);
      await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  const running = Promise.all(plan.machines.map(run));
  // Seen when it stops.
  running.catch(() => undefined);
  return {
    asked,
    posts,
    cancellations,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
