import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface LoadPlan {
  origin: string;
  headers: Record<string, string>;
  /** Taken in turns. */
  paths: readonly string[];
  connections: number;
  /** For so long, unless `times` is given. */
  durationMs: number;
  /** Exactly so many requests. */
  times?: number;
  /** POST instead of GET: one new item, or so many in `requests`; with members of `more`, taken in turns with the paths. */
  post?: { itemsPerBatch?: number; more?: readonly object[] };
  /** Each connection rests for so long after an answer. */
  pauseMs?: number;
  keepAnswers?: boolean;
}

export interface LoadResult {
  latenciesMs: number[];
  elapsedMs: number;
  failures: string[];
  failed: number;
  answers: unknown[];
}

/** A caller in a process of its own, which stays for the whole run so that its code is warm. */
export interface LoadClient {
  /** @throws Error when it ends, or takes more than a minute longer than planned */
  run(plan: LoadPlan): Promise<LoadResult>;
  close(): Promise<void>;
}

export async function startLoadClient(): Promise<LoadClient> {
  const child = fork(fileURLToPath(new URL('./load-client.ts', import.meta.url)), {
    serialization: 'advanced',
  });
  await once(child, 'message');
  return {
    async run(plan) {
      const over = new AbortController();
      const timeoutMs = (plan.times === undefined ? plan.durationMs : 0) + 60_000;
      const { signal } = over;
      const timer = setTimeout(() => over.abort(new Error('the caller takes too long')), timeoutMs);
      const ended = once(child, 'exit', { signal }).then(() => {
        throw new Error('the caller ended');
      });
      // The loser of the race has no other handler.
      ended.catch(() => {});
      try {
        const answer = once(child, 'message', { signal });
        child.send(plan);
        const [result] = (await Promise.race([answer, ended])) as [LoadResult];
        return result;
      } finally {
        clearTimeout(timer);
        over.abort();
      }
    },
    async close() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

/** Answers per second. @throws Error when one of them was an error */
export function ratePerSecond(result: LoadResult): number {
  refuseFailures(result);
  return (result.latenciesMs.length * 1_000) / result.elapsedMs;
}

export function refuseFailures({ failed, failures }: LoadResult): void {
  if (failed > 0) throw new Error(`${failed} answers were errors: ${failures.join('; ')}`);
}
