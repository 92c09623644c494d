import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { flood } from '@diq/testing/flood.ts';
import type { Random } from '../random.ts';
import type { Fault } from './fault.ts';

const rounds = 5;
const connections = 5;
const paths = ['/openapi.json', '/docs/openapi-explorer.min.js', '/metrics', '/readyz', '/v1/quota'];
/** Far more than the load that goes on meanwhile adds; a single connection added 200 MB where nothing bounded it. */
const maxGrowthMb = 150;
/** That it answers, however busy the machine is: what a flood must not do is to stay in memory, or to end the service. */
const livesWithinMs = 20_000;

/** Clients without a credential send hundreds of requests one behind another to an intake and a worker, read nothing and leave. */
export const pipelinedFlood: Fault = {
  name: 'pipelined-flood',
  breaks: ['intake', 'worker'],
  async run(world, random) {
    const victims = [world.intakeFleet.pick(random), world.workerFleet.pick(random)];
    await Promise.all(victims.map((victim) => floodAndLook(victim, random)));
    world.tally('connections flooded with requests', victims.length * rounds * connections);
  },
};

/** @throws Error when the service does not answer afterwards, or has kept what it was sent. */
async function floodAndLook(
  { child, ready: { port, service } }: ServiceProcess,
  random: Random,
): Promise<void> {
  const beforeMb = await memoryOf(child.pid);
  for (let round = 0; round < rounds; round += 1) {
    const requests = random.between(100, 1_500);
    const clients = await flood({ port, path: random.pick(paths), requests, connections });
    await delay(random.between(0, 500));
    clients.leave();
  }
  const { status } = await fetch(`http://127.0.0.1:${port}/livez`, {
    signal: AbortSignal.timeout(livesWithinMs),
  });
  const grownMb = (await memoryOf(child.pid)) - beforeMb;
  if (status === 200 && grownMb <= maxGrowthMb) return;
  throw new Error(`${service} after a flood: /livez ${status}, ${Math.round(grownMb)} MB more in memory`);
}

/** Resident memory in MB; 0 where the system does not say. */
async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
}
