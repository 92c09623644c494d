import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { strip } from './stripped-code.mjs';

/**
 * Loads TypeScript by taking its types away, and keeps nothing of it: a cache in a folder that other users of the machine can
 * write to would have their code run by the services.
 *
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context);
  const filename = fileURLToPath(url);
  return {
    format: 'module',
    source: await strip(await readFile(filename, 'utf8'), filename),
    shortCircuit: true,
  };
}
