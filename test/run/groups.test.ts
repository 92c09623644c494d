import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
// By what `mocha` itself does with its arguments: it takes some patterns for names of files.
const require = createRequire(import.meta.url);
const { loadOptions } = require('mocha/lib/cli/options.cjs') as {
  loadOptions(args: readonly string[]): { _: string[] };
};
const collectFiles = require('mocha/lib/cli/collect-files.cjs') as (options: object) => { files: string[] };

describe('the groups of tests', () => {
  it('have each test file once, and no pattern that finds none', () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
      scripts: Record<string, string>;
    };
    const groups = Object.entries(scripts).filter(([name]) => name.startsWith('tests:'));
    const found = groups.flatMap(([name, script]) => {
      const args = [...script.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
      const { _: patterns, ...options } = loadOptions(args.slice(1));
      return patterns.flatMap((pattern) => {
        const spec = [pattern];
        const { files } = collectFiles({ ignore: [], file: [], ...options, spec, allowEmpty: true });
        assert.ok(files.length > 0, `${name}: no file is ${pattern}`);
        return files;
      });
    });
    const all = ['test', 'shared', 'services'].flatMap((folder) =>
      readdirSync(`${root}${folder}`, { encoding: 'utf8', recursive: true })
        .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
        .map((path) => resolve(root, folder, path)),
    );
    assert.deepEqual(found.toSorted(), all.toSorted());
  });
});
