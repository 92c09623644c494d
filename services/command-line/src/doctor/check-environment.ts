import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { parseJson } from '@diq/client/parse-json.ts';
import type { Io } from '../io.ts';
import { finding, type Finding } from './finding.ts';

/** Settings of a worker: where one is set, its part of the checks is made. */
const settingsOfWorkers = [
  'REDIS_URL',
  'REDIS_SENTINELS',
  'REDIS_CLUSTER_NODES',
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'TENANTS_FILE',
];
/** The worker's own code checks them, in a process of its own. */
const entry = fileURLToPath(new URL('../../../worker/src/doctor-main.ts', import.meta.url));
const loader = new URL('../../../../shared/runtime/typescript.mjs', import.meta.url);
const longestMs = 90_000;
const maxOutputChars = 4 * 1_024 * 1_024;

/** What the settings of a worker lead to: Redis with what it keeps, Entra ID and the roles of its tokens. */
export async function checkEnvironment({ env, signal }: Pick<Io, 'env' | 'signal'>): Promise<Finding[]> {
  if (!settingsOfWorkers.some((name) => env[name])) return [];
  const { DIQ_API_KEY: _, DIQ_API_KEY_FILE: __, ...passed } = env;
  const stop = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
  const child = spawn(process.execPath, ['--import', loader.href, entry], {
    env: { ...passed },
    stdio: ['ignore', 'pipe', 'ignore'],
    signal: stop,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    if (text.length < maxOutputChars) text += piece;
  });
  // Aborted: the exit follows.
  child.on('error', () => undefined);
  await once(child, 'close');
  signal.throwIfAborted();
  const findings = z.array(finding).safeParse(parseJson(text));
  if (findings.success) return findings.data;
  return [{ check: 'settings of the worker', state: 'unknown', detail: 'the check did not come to its end' }];
}
