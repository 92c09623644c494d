import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * Code without its types that `npm test` keeps for the many processes it starts. A service reads it where it is, and
 * never writes it: where no tests are run there is none. It lies among the installed packages, since who can write there can
 * change what runs anyway; and each file is named after the text it was made of, so that it is never that of another.
 */
const folder = fileURLToPath(new URL('../../node_modules/.cache/stripped-types/', import.meta.url));
const isKept = existsSync(folder);

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

/** The text without its types; lines and columns stay where they are. */
async function strip(text, filename) {
  return (await readKept(text)) ?? (await stripNow(text, filename));
}

/** Keeps these files of TypeScript without their types, and nothing else. */
export async function keepStripped(filenames) {
  if (process.features.typescript) return;
  await mkdir(folder, { recursive: true });
  const left = new Set(await readdir(folder));
  for (const filename of filenames) {
    const text = await readFile(filename, 'utf8');
    const name = nameFor(text);
    if (left.delete(name)) continue;
    // Whole or not at all, for processes that read it meanwhile.
    await writeFile(`${folder}${name}.new`, await stripNow(text, filename));
    await rename(`${folder}${name}.new`, folder + name);
  }
  for (const name of left) await rm(folder + name, { force: true });
}

async function readKept(text) {
  if (!isKept) return undefined;
  return readFile(folder + nameFor(text), 'utf8').catch(() => undefined);
}

async function stripNow(text, filename) {
  // Loaded only for what is not kept: this alone takes a process a third of a second.
  const { default: swc } = await import('@swc/wasm-typescript');
  const { code } = await swc.transform(text, { mode: 'strip-only', filename });
  return code;
}

let version;

function nameFor(text) {
  version ??= readFileSync(
    createRequire(import.meta.url).resolve('@swc/wasm-typescript/package.json'),
    'utf8',
  );
  return createHash('sha256').update(version).update('\0').update(text).digest('hex');
}
