import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import { machineIds } from './stack.ts';

export interface AcceptedByCaller {
  readonly id: string;
  readonly machineId: string;
  readonly atMs: number;
}

/** Asks for one machine after the other and looks at the queue, whatever it is answered. */
export interface SteadyCaller {
  readonly accepted: readonly AcceptedByCaller[];
  /** When a POST was refused with 503 and a time after which to ask again. */
  readonly refusedAtMs: readonly number[];
  /** Everything else that was answered, which nothing should be. */
  readonly odd: readonly string[];
  /** Resolves with the next request that is accepted from now on. */
  nextAccepted(): Promise<AcceptedByCaller>;
  /** Resolves when a POST that is sent from now on was answered, in whatever way. */
  nextAnswered(): Promise<void>;
  stop(): Promise<void>;
}

const pauseMs = 100;

export function startSteadyCaller(api: ApiClient): SteadyCaller {
  const accepted: AcceptedByCaller[] = [];
  const refusedAtMs: number[] = [];
  const odd: string[] = [];
  const waiting: ((one: AcceptedByCaller) => void)[] = [];
  const waitingForAnswer: (() => void)[] = [];
  let isStopped = false;

  async function send(method: 'GET' | 'POST', path: string, body?: unknown) {
    const { status, headers, body: document } = await api.call(method, path, body);
    if (status === 503 && Number(headers['retry-after']) > 0) {
      if (method === 'POST') refusedAtMs.push(Date.now());
    } else if (status >= 300) {
      odd.push(`${method} ${path}: ${status} ${JSON.stringify(document)}`);
    }
    return { status, id: (document as { id?: string }).id ?? '' };
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      const [machineId = ''] = machineIds(1);
      const watching = waitingForAnswer.splice(0);
      const { status, id } = await send('POST', '/v1/investigations', { machineId, comment: 'steady' });
      for (const resolve of watching) resolve();
      if (status === 202) {
        const one = { id, machineId, atMs: Date.now() };
        accepted.push(one);
        for (const resolve of waiting.splice(0)) resolve(one);
      }
      await send('GET', '/v1/quota');
      await send('GET', '/v1/investigations?limit=5');
      await delay(pauseMs);
    }
  }

  const running = run().catch((error: unknown) => void odd.push(String(error)));
  return {
    accepted,
    refusedAtMs,
    odd,
    nextAccepted: () => new Promise((resolve) => waiting.push(resolve)),
    nextAnswered: () => new Promise((resolve) => waitingForAnswer.push(resolve)),
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
