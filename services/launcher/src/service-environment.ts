import type { Env } from '@diq/runtime/settings/read-settings.ts';

/** Prefixes of settings that belong to other services, and the names among them that this one reads all the same. */
const othersOf = {
  'intake-api': { prefixes: ['AZURE_', 'WORKER_', 'SIMULATOR_'], except: ['AZURE_TENANT_ID'] },
  worker: { prefixes: ['INTAKE_', 'CALLBACK_', 'SIMULATOR_'], except: [] },
} as const;

/**
 * The part of an environment that a service may see: all but what belongs to another one. So the process that faces
 * the network never holds Defender's credentials, and the one that calls Defender never holds the API keys.
 */
export function serviceEnvironment(service: keyof typeof othersOf, env: Env): Env {
  const { prefixes, except } = othersOf[service];
  const isOthers = (name: string) =>
    prefixes.some((prefix) => name.startsWith(prefix)) && !except.some((own) => own === name);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isOthers(name)));
}
