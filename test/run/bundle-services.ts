import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';

const root = new URL('../../', import.meta.url);
const services = ['intake-api', 'worker', 'defender-simulator'];

/**
 * Writes each service with all that it loads into a few files, for the hundreds of processes that the tests start: half of what a
 * start costs is finding and reading some 1,400 files. The code is the same, and finds its own files (scripts, pages)
 * where its source lies. Nothing but `npm test` uses them.
 *
 * @returns where they lie, among the installed packages: who can write there can change what runs anyway.
 * @throws Error where something cannot be resolved.
 */
export async function bundleServices(): Promise<URL> {
  const folder = new URL('node_modules/.cache/services/', root);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const bundle = await rolldown({
    input: Object.fromEntries(
      services.map((name) => [name, fileURLToPath(new URL(`services/${name}/src/main.ts`, root))]),
    ),
    platform: 'node',
    // Bottleneck's other client, which is not installed.
    external: ['redis'],
    plugins: [
      {
        name: 'places',
        transform: {
          filter: { code: 'import.meta.url' },
          handler: (code, path) =>
            code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        },
      },
      {
        // It hides from bundlers what it needs.
        name: 'bottleneck',
        transform: {
          filter: { code: 'eval("require")' },
          handler: (code) => code.replaceAll('eval("require")', 'require'),
        },
      },
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  await bundle.write({ dir: fileURLToPath(folder), entryFileNames: '[name].mjs' });
  await bundle.close();
  return folder;
}
