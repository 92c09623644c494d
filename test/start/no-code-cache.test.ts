import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** Code in a folder that all users of a machine can write to would let one user run code as another. */
describe('TypeScript that is run', () => {
  it('is kept nowhere in the temporary directory', () => {
    const folder = mkdtempSync(join(tmpdir(), 'diq-code-'));
    try {
      const [, ...args] = (scripts['start:worker'] ?? '').split(' ');
      const { stderr } = spawnSync(process.execPath, args, {
        cwd: root,
        env: { PATH: process.env['PATH'], TMPDIR: folder, TEMP: folder },
        encoding: 'utf8',
      });
      // All its code was loaded, and then it refused its settings.
      assert.match(stderr, /settings/);
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is loaded in the same way by every command', () => {
    const commands = Object.entries(scripts).filter(([, command]) => /\bnode\b/.test(command));
    assert.ok(commands.length > 5);
    for (const [name, command] of commands)
      assert.match(command, /^node --import \.\/shared\/runtime\/typescript\.mjs /, name);
  });
});
