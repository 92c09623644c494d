/**
 * What one writes first: a Bottleneck with a reservoir, shared through Redis by three workers, with the default heartbeat.
 * All calls are asked for at once. Makes them against the origin that it is given, and ends on SIGTERM.
 */
import Bottleneck from 'bottleneck';
import { request } from 'undici';

const { REDIS_URL = '', ORIGIN = '', LIMIT = '', WINDOW_MS = '', CALLS = '' } = process.env;
const { hostname: host, port } = new URL(REDIS_URL);
const workers = Array.from(
  { length: 3 },
  () =>
    new Bottleneck({
      id: 'naive',
      datastore: 'ioredis',
      clientOptions: { host, port: Number(port) },
      reservoir: Number(LIMIT),
      reservoirRefreshAmount: Number(LIMIT),
      reservoirRefreshInterval: Number(WINDOW_MS),
    }),
);
await Promise.all(workers.map((worker) => worker.ready()));
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
for (let i = 0; i < Number(CALLS); i += 1) {
  void workers[i % workers.length]?.schedule(async () => {
    const response = await request(ORIGIN, { method: 'POST' });
    await response.body.dump();
  });
}
