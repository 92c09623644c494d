import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { skipBecause } from '@diq/testing/skip-because.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** `npm test` keeps TypeScript without its types for the processes that it starts. */
describe('code that npm test keeps', () => {
  let folder: string;

  before(function () {
    if (Reflect.get(process.features, 'typescript')) skipBecause(this, 'Node runs TypeScript by itself');
    folder = mkdtempSync(join(tmpdir(), 'diq-kept-'));
    cpSync(join(root, 'shared/runtime'), join(folder, 'shared/runtime'), {
      recursive: true,
      filter: (path) => path.endsWith('runtime') || path.endsWith('.mjs'),
    });
    mkdirSync(join(folder, 'node_modules/@swc'), { recursive: true });
    const library = 'node_modules/@swc/wasm-typescript';
    symlinkSync(realpathSync(join(root, library)), join(folder, library));
  });

  after(() => folder && rmSync(folder, { recursive: true }));

  function node(...args: string[]): string {
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    assert.equal(stderr, '');
    return stdout.trim();
  }
  const run = () => node('--import', './shared/runtime/typescript.mjs', 'code.ts');
  const keep = () =>
    node(
      '--input-type=module',
      '--eval',
      `await (await import('./shared/runtime/stripped-code.mjs')).keepStripped(['code.ts'])`,
    );
  const kept = () => readdirSync(join(folder, 'node_modules/.cache/stripped-types'));
  const write = (says: string) =>
    writeFileSync(join(folder, 'code.ts'), `const says: string = '${says}';\nconsole.log(says);\n`);

  it('is not there where no tests are run, and never written by what runs', () => {
    write('as it stands');
    assert.equal(run(), 'as it stands');
    assert.deepEqual(readdirSync(join(folder, 'node_modules')), ['@swc']);
  });

  it('is run in place of the text that it was made of, and of no other', () => {
    write('kept');
    keep();
    const [name = ''] = kept();
    writeFileSync(
      join(folder, 'node_modules/.cache/stripped-types', name),
      `console.log('out of what was kept')`,
    );
    assert.equal(run(), 'out of what was kept');
    write('changed since');
    assert.equal(run(), 'changed since');
    assert.deepEqual(kept(), [name]);
  });

  it('goes when there is no such text any more', () => {
    write('one');
    keep();
    const before = kept();
    write('another');
    keep();
    assert.equal(kept().length, 1);
    assert.notDeepEqual(kept(), before);
  });
});
