import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const mocha = pathOf('../../node_modules/mocha/bin/mocha.js');

const passing = `it('holds', () => {});`;
const failing = `
  describe('one', () => it('breaks', () => { throw new Error('first line\\nsecond line') }));
  describe('two', () => { before(() => { throw new Error('no server') }); it('is never run', () => {}) });
  describe('three', () => it('is under way', () => { process.kill(process.pid, 'SIGTERM'); return new Promise(() => {}) }));`;

describe('npm test', () => {
  it('names in its last lines every test that failed, and the one in which a group was stopped', () => {
    const folder = mkdtempSync(join(tmpdir(), 'diq-groups-'));
    try {
      const run = `node "${mocha}" --reporter "${pathOf('reporter.mjs')}"`;
      const scripts = { 'tests:good': `${run} good.mjs`, 'tests:bad': `${run} bad.mjs` };
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts }));
      writeFileSync(join(folder, 'good.mjs'), passing);
      writeFileSync(join(folder, 'bad.mjs'), failing);
      const args = ['--import', pathOf('../../shared/runtime/typescript.mjs'), pathOf('main.ts')];
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      assert.equal(status, 1);
      assert.deepEqual(stdout.trimEnd().split('\n').slice(-5), [
        'good: passed',
        'bad: did not pass (143)',
        '  FAILED bad.mjs > one > breaks: first line',
        '  FAILED bad.mjs > two > "before all" hook for "is never run": no server',
        '  STOPPED in bad.mjs > three > is under way',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
