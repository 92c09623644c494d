/**
 * The baselines for the intake, in a process of their own: `queue.addBulk` and `queue.add` called in process, and an
 * Express 5 that validates nothing, behind it one `queue.add` or one HGETALL. Nothing is logged, no caller is let in or kept
 * out, nothing is counted.
 */
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';
import type { AddressInfo } from 'node:net';
import { newItems } from '../support/items.ts';
import type { Item } from '../support/items.ts';

/** What the parent asks for: one `addBulk` of so many jobs, so often. */
export interface BulkPlan {
  items: number;
  times: number;
  /** Without it the barest job: no deduplication. */
  deduplicate: boolean;
}

const redis = new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
const queue = new Queue<Item>('bare', { connection: redis });
await queue.waitUntilReady();

const optionsFor = ({ machineId }: Item, deduplicate = true) => ({
  priority: 1_000,
  ...(deduplicate ? { deduplication: { id: machineId } } : {}),
});

process.on('message', ({ items, times, deduplicate }: BulkPlan) => {
  void (async () => {
    const bulks = Array.from({ length: times }, () => newItems(items));
    const startedAt = performance.now();
    for (const bulk of bulks) {
      await queue.addBulk(
        bulk.map((data) => ({ name: 'investigate', data, opts: optionsFor(data, deduplicate) })),
      );
    }
    process.send?.(performance.now() - startedAt);
  })();
});
process.once('disconnect', () => process.exit(0));

const app = express();
// Express 5 takes a rejection as an error by itself.
/* oxlint-disable oxc/no-async-endpoint-handlers */
app.post('/jobs', express.json(), async (request, response) => {
  const item = request.body as Item;
  const job = await queue.add('investigate', item, optionsFor(item));
  response.status(202).json({ id: job.id });
});
app.get('/hashes/:key', async (request, response) => {
  response.json(await redis.hgetall(request.params.key));
});
const server = app.listen(0, '127.0.0.1', () => {
  process.send?.((server.address() as AddressInfo).port);
});
