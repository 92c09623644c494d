import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { settingsExitCode } from '@diq/runtime/processes/run-service.ts';
import {
  spawnService,
  type ServiceProcess,
  type SpawnServiceOptions,
} from '@diq/runtime/processes/spawn-service.ts';

const entries = {
  'embedded-redis': '../../../shared/runtime/src/processes/embedded-redis-main.ts',
  'defender-simulator': '../../defender-simulator/src/main.ts',
  'intake-api': '../../intake-api/src/main.ts',
  worker: '../../worker/src/main.ts',
} as const;

export type ServiceName = keyof typeof entries;

/** What a service gets: all of its environment, and who reads what it writes. */
export interface StartServiceOptions {
  readonly env: Env;
  readonly onLine?: NonNullable<SpawnServiceOptions['onLine']>;
  /** Default 20 s; `Infinity` for a service that may wait for others before it is ready. */
  readonly readyTimeoutMs?: number;
  /** Aborted, the service gets SIGTERM although it is not ready yet. */
  readonly signal?: AbortSignal;
}

/**
 * Starts one of the services in a process of its own and waits until it is ready.
 *
 * @throws ServiceStartError when it ends before that, or takes too long
 */
export async function startService(name: ServiceName, options: StartServiceOptions): Promise<ServiceProcess> {
  const entry = new URL(entries[name], import.meta.url);
  // Valkey runs on Node's WASI, whose warning means nothing to the person who starts this.
  const nodeArgs = name === 'embedded-redis' ? ['--disable-warning=ExperimentalWarning'] : [];
  try {
    return await spawnService({ entry, ...options, name, nodeArgs });
  } catch (error) {
    throw new ServiceStartError(name, error);
  }
}

/** A service did not become ready. */
export class ServiceStartError extends Error {
  override readonly name = 'ServiceStartError';
  readonly service: ServiceName;
  /** It refused its settings, and has written which and why to its standard error. */
  readonly refusedSettings: boolean;

  constructor(service: ServiceName, cause: unknown) {
    const message = cause instanceof Error ? cause.message : String(cause);
    // The output stands behind the first line; it was handed on as it came.
    super(message.split('. It wrote:')[0] ?? message);
    this.service = service;
    this.refusedSettings = message.startsWith(`${service} ended (${settingsExitCode})`);
  }
}
