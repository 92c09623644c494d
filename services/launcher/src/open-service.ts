import type { Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import type { ServiceExit, ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { startService, type ServiceName, type StartServiceOptions } from './start-service.ts';

export interface OpenServiceOptions extends StartServiceOptions {
  readonly lifecycle: Lifecycle;
  /** How long it may take to end after SIGTERM; then it is killed. */
  readonly stopTimeoutMs: number;
  /** Called when it ends by itself. */
  readonly onLost: (reason: string) => void;
}

/**
 * Starts a service that the lifecycle stops, also when closing begins before it is ready.
 *
 * @throws ServiceStartError; Error when closing has already begun
 */
export async function openService(name: ServiceName, options: OpenServiceOptions): Promise<ServiceProcess> {
  const { lifecycle, stopTimeoutMs, onLost } = options;
  if (lifecycle.closing.aborted) throw new Error(`${name} is not started: closing`);
  // One that waits for others would otherwise keep closing waiting.
  const signals = [lifecycle.closing, ...(options.signal ? [options.signal] : [])];
  const starting = startService(name, { ...options, signal: AbortSignal.any(signals) });
  lifecycle.onClose(name, async () => {
    const service = await starting.catch(() => undefined);
    await service?.stop('SIGTERM', stopTimeoutMs);
  });
  const service = await starting;
  void watch(service);
  return service;

  async function watch({ exited }: ServiceProcess): Promise<void> {
    const exit = await exited;
    if (!lifecycle.closing.aborted) onLost(`${name} ended by itself (${describeExit(exit)})`);
  }
}

function describeExit({ code, signal }: ServiceExit): string {
  return signal === null ? `exit code ${code}` : signal;
}
