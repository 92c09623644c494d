import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('ARCHITECTURE.md', root), 'utf8');
const rows = page.split('\n').filter((line) => /^\| \d+ /.test(line));

describe('ARCHITECTURE.md', () => {
  it('names all ten invariants', () => {
    assert.deepEqual(
      rows.map((row) => Number(row.split('|')[1])),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
  });

  for (const row of rows) {
    it(`names tests that exist for invariant ${Number(row.split('|')[1])}`, () => {
      const named = [...row.matchAll(/`([\w./-]+\.test\.ts)`(?:: "([^"]+)")?/g)];
      assert.ok(named.length > 0, 'no test is named');
      for (const [, file = '', title] of named) {
        const url = new URL(file, root);
        assert.ok(existsSync(url), `${file} does not exist`);
        const source = readFileSync(url, 'utf8');
        if (title !== undefined)
          assert.ok(source.includes(`it('${title}'`), `${file} has no test "${title}"`);
      }
    });
  }

  it('links only to files that exist', () => {
    const links = [...page.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target = '']) => target);
    assert.deepEqual(
      links.filter((target) => !existsSync(new URL(target, root))),
      [],
    );
  });
});
