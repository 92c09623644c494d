/**
 * A caller in a process of its own: sends the given requests over so many connections, for so long or so often, and reports
 * how long each answer took. Started by `load.ts`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { newItems } from './items.ts';
import type { LoadPlan, LoadResult } from './load.ts';

process.on('message', (plan: LoadPlan) => {
  void send(plan).then((result) => process.send?.(result));
});
process.once('disconnect', () => process.exit(0));
process.send?.('ready');

async function send(plan: LoadPlan): Promise<LoadResult> {
  const pool = new Pool(plan.origin, { connections: plan.connections, pipelining: 1, bodyTimeout: 60_000 });
  const bodies = bodiesOf(plan);
  const latenciesMs: number[] = [];
  const failures: string[] = [];
  const answers: unknown[] = [];
  const startedAt = performance.now();
  let sent = 0;
  const isOver = () =>
    plan.times === undefined ? performance.now() - startedAt >= plan.durationMs : sent >= plan.times;

  async function caller(): Promise<void> {
    while (!isOver()) {
      const number = sent;
      sent += 1;
      const body = bodies?.(number);
      const path = plan.paths[number % plan.paths.length] ?? '/';
      const from = performance.now();
      const response = await pool.request({
        method: body === undefined ? 'GET' : 'POST',
        path,
        headers: { ...plan.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.body.text();
      latenciesMs.push(performance.now() - from);
      if (response.statusCode >= 300) failures.push(`${response.statusCode} ${text.slice(0, 200)}`);
      else if (plan.keepAnswers === true) answers.push(JSON.parse(text));
      if (plan.pauseMs !== undefined) await delay(plan.pauseMs);
    }
  }
  const callers = Array.from({ length: plan.connections }, () => caller());
  await Promise.all(callers).catch((error: unknown) => void failures.push(String(error)));
  const elapsedMs = performance.now() - startedAt;
  await pool.destroy();
  return { latenciesMs, elapsedMs, failures: failures.slice(0, 5), failed: failures.length, answers };
}

/** Bodies are made before the clock starts, as far as their number is known. */
function bodiesOf({ post, times }: LoadPlan): ((number: number) => string) | undefined {
  if (post === undefined) return undefined;
  const make = (number: number) =>
    JSON.stringify({
      ...(post.itemsPerBatch === undefined ? newItems(1)[0] : { requests: newItems(post.itemsPerBatch) }),
      ...post.more?.[number % post.more.length],
    });
  const known = times ?? (post.itemsPerBatch === undefined ? 0 : 8);
  const made = Array.from({ length: known }, (_, number) => make(number));
  return (number) => made[number] ?? make(number);
}
