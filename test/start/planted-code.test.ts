import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
const planted = 'PLANTED CODE RUNS';

/** Runs a command of package.json, as npm would, where temporary files are in `folder`. */
function run(command: string, folder: string): string {
  const [program = '', ...args] = command.split(' ');
  const { stdout, stderr } = spawnSync(program === 'node' ? process.execPath : program, args, {
    cwd: root,
    env: { PATH: process.env['PATH'], TMPDIR: folder, TEMP: folder },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return stdout + stderr;
}

/** Has tsx fill the cache it would use, as public code lets anybody do, and puts other code into each entry. */
function plantIn(folder: string): number {
  for (const [name, command] of Object.entries(scripts)) {
    if (name.startsWith('start')) run(command.replace(/--import \S+/, '--import tsx'), folder);
  }
  const [cache = ''] = readdirSync(folder).filter((name) => name.startsWith('tsx-'));
  const entries = readdirSync(join(folder, cache), { withFileTypes: true }).filter((it) => it.isFile());
  let plantedIn = 0;
  for (const { name } of entries) {
    const path = join(folder, cache, name);
    const text = readFileSync(path, 'utf8');
    // The process ended while it wrote this one.
    if (!text.endsWith('}')) continue;
    const entry = JSON.parse(text) as { code: string };
    writeFileSync(path, JSON.stringify({ ...entry, code: `console.log('${planted}');${entry.code}` }));
    plantedIn += 1;
  }
  return plantedIn;
}

describe('a folder that somebody else made in the temporary directory', function () {
  this.timeout(300_000);
  let folder: string;
  before('plant code', () => {
    folder = mkdtempSync(join(tmpdir(), 'diq-planted-'));
    assert.ok(plantIn(folder) > 50);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('would be a danger: tsx left to itself runs what is in it', () => {
    const careless = (scripts['start:worker'] ?? '').replace(/--import \S+/, '--import tsx');
    assert.match(run(careless, folder), new RegExp(planted));
  });

  for (const [name, command] of Object.entries(scripts).filter(([name]) => name.startsWith('start'))) {
    it(`is left alone by "npm run ${name}" and the processes that it starts`, () => {
      const output = run(command, folder);
      assert.doesNotMatch(output, new RegExp(planted));
      // It was the service itself, which refused its settings.
      assert.match(output, /settings/);
    });
  }

  it('is left alone by everything else that runs TypeScript: nothing names tsx but the one file that tames it', () => {
    for (const [name, command] of Object.entries(scripts)) {
      if (/\bnode\b/.test(command))
        assert.match(command, /^node --import \.\/shared\/runtime\/typescript\.mjs /, name);
    }
    const { stdout } = spawnSync(
      'git',
      ['grep', '-lE', "(import[=', (]+|resolve\\('|from ')tsx\\b", ':!*.md'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    assert.deepEqual(stdout.trim().split('\n'), [
      'shared/runtime/typescript.mjs',
      'test/start/planted-code.test.ts',
    ]);
  });
});
