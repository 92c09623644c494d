import type { Env } from '@diq/runtime/settings/read-settings.ts';
import {
  spawnService,
  type ServiceAnnouncement,
  type ServiceProcess,
} from '@diq/runtime/processes/spawn-service.ts';

/** A started simulator also tells where it is and which CA file makes its certificate trusted. */
export type SimulatorProcess = ServiceProcess & {
  readonly ready: ServiceAnnouncement & { readonly origin: string; readonly caFile: string };
};

const running = new Set<ServiceProcess>();
const lines: string[] = [];

/** Starts the Defender simulator on a free port. */
export async function startSimulator(env: Env = {}): Promise<SimulatorProcess> {
  const simulator = await start('defender-simulator', { SIMULATOR_PORT: '0', ...env });
  const { origin, caFile } = simulator.ready;
  if (typeof origin === 'string' && typeof caFile === 'string') {
    return { ...simulator, ready: { ...simulator.ready, origin, caFile } };
  }
  throw new Error('the simulator printed neither its origin nor its CA file');
}

/** Starts the intake API on a free port. */
export async function startIntake(env: Env): Promise<ServiceProcess> {
  return start('intake-api', { INTAKE_PORT: '0', ...env });
}

/** Starts a worker, its operations routes on a free port. */
export async function startWorker(env: Env): Promise<ServiceProcess> {
  return start('worker', { WORKER_PORT: '0', ...env });
}

/** Ends whatever these functions started and still runs; for `after` hooks. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((service) => service.stop()));
}

/** All that the services wrote since the last `forgetOutput()`, to be searched for what must not be there. */
export function allOutput(): string {
  return lines.join('\n');
}

/** Empties what `allOutput()` gives. */
export function forgetOutput(): void {
  lines.length = 0;
}

async function start(name: string, env: Env): Promise<ServiceProcess> {
  const service = await spawnService({
    entry: entryOf(name),
    env,
    name,
    onLine: (line) => lines.push(line),
  });
  running.add(service);
  void service.exited.then(() => running.delete(service));
  return service;
}

/** `npm test` writes each service into one file, which starts in half the time (`test/run/bundle-services.ts`). */
function entryOf(name: string): URL {
  const bundles = process.env['BUNDLED_SERVICES'];
  return bundles === undefined
    ? new URL(`../../../services/${name}/src/main.ts`, import.meta.url)
    : new URL(`${name}.mjs`, bundles);
}
