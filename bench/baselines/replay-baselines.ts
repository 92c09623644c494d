/**
 * What the queue is compared with in a replay, in a process of its own. `fifo` and `fixed`: BullMQ with its own limiter and its
 * deduplication by machine, without and with its priorities; an answer 429 holds the queue for as long as Defender says, as
 * BullMQ's documentation shows. `soar`: no queue; a call that is answered 429 is made once more after a while and given up then.
 */
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { priorities, type Priority } from '@diq/contracts/priority.ts';

export interface Baseline {
  key: string;
  kind: 'fifo' | 'fixed' | 'soar';
  origin: string;
  tenantId: string;
  clientId: string;
}

export interface BaselinesPlan {
  baselines: readonly Baseline[];
  clientSecret: string;
  ca: string;
  redis: { host: string; port: number };
  limit: number;
  windowMs: number;
  /** Of `soar`, from a 429 to the second call. */
  retryAfterMs: number;
}

export interface Asked {
  key: string;
  machines: readonly { machineId: string; priority: Priority }[];
}

type Ask = (machines: Asked['machines']) => Promise<void>;

const asks = new Map<string, Ask>();

process.on('message', (message: BaselinesPlan | Asked) => {
  if ('baselines' in message) void open(message).then(() => process.send?.('open'));
  else void asks.get(message.key)?.(message.machines);
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');

async function open(plan: BaselinesPlan): Promise<void> {
  const dispatcher = new Agent({ connect: { ca: plan.ca } });
  for (const baseline of plan.baselines) {
    const call = createCall(baseline, await tokenFor(baseline, plan, dispatcher), dispatcher);
    const ask = baseline.kind === 'soar' ? callAtOnce(call, plan) : await openQueue(baseline, call, plan);
    asks.set(baseline.key, ask);
  }
}

async function tokenFor(
  { origin, tenantId, clientId }: Baseline,
  { clientSecret }: BaselinesPlan,
  dispatcher: Agent,
): Promise<string> {
  const { body } = await request(`${origin}/${tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: 'client_credentials',
      scope: 'https://api.securitycenter.microsoft.com/.default',
    }).toString(),
  });
  return ((await body.json()) as { access_token: string }).access_token;
}

type Call = ReturnType<typeof createCall>;

function createCall({ origin }: Baseline, token: string, dispatcher: Agent) {
  return async (machineId: string): Promise<{ status: number; retryAfterMs: number }> => {
    const { statusCode, headers, body } = await request(
      `${origin}/api/machines/${machineId}/InitiateInvestigation`,
      {
        method: 'POST',
        dispatcher,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ Comment: 'replayed' }),
      },
    );
    await body.dump();
    return { status: statusCode, retryAfterMs: 1_000 * Number(headers['retry-after'] ?? 1) };
  };
}

async function openQueue(
  { key, kind }: Baseline,
  call: Call,
  { redis, limit, windowMs }: BaselinesPlan,
): Promise<Ask> {
  const connection = { ...redis, maxRetriesPerRequest: null };
  const queue = new Queue<{ machineId: string }>(key, { connection });
  const worker: Worker<{ machineId: string }> = new Worker(
    key,
    async ({ data }) => {
      const { status, retryAfterMs } = await call(data.machineId);
      if (status === 429) {
        // Whole seconds are all that Retry-After has; of a scaled hour that would be half, and a window is enough.
        await worker.rateLimit(Math.min(retryAfterMs, windowMs / limit));
        throw Worker.RateLimitError();
      }
      if (status >= 300) throw new UnrecoverableError(String(status));
    },
    {
      connection,
      limiter: { max: limit, duration: windowMs },
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  worker.on('error', (error) => console.error(key, error));
  await worker.waitUntilReady();
  return async (machines) => {
    await queue.addBulk(
      machines.map(({ machineId, priority }) => ({
        name: 'investigate',
        data: { machineId },
        opts: {
          deduplication: { id: machineId },
          ...(kind === 'fixed' && { priority: 1 + priorities.indexOf(priority) }),
        },
      })),
    );
  };
}

function callAtOnce(call: Call, { retryAfterMs }: BaselinesPlan): Ask {
  return async (machines) => {
    await Promise.all(
      machines.map(async ({ machineId }) => {
        const { status } = await call(machineId);
        if (status !== 429) return;
        await delay(retryAfterMs);
        await call(machineId);
      }),
    );
  };
}
