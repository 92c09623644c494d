import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** Everything that runs or is deployed, as one text. */
function readProduct(): string {
  return ['services', 'shared', 'deploy']
    .flatMap((room) =>
      readdirSync(new URL(room, root), { recursive: true, encoding: 'utf8' }).map(
        (file) => `${room}/${file}`,
      ),
    )
    .filter((file) => /\.(?:ts|lua|yml|json)$/.test(file))
    .filter((file) => !/\.test\.ts$|\/test-support\/|node_modules|^shared\/testing/.test(file))
    .map(read)
    .join('\n');
}

describe('the names that have changed, in CHANGELOG.md', () => {
  const table = read('CHANGELOG.md').split('### Names that have changed')[1] ?? '';
  const rows = [...table.matchAll(/^\| ([^|]+) \| `([^`]+)` +\| `([^`]+)` +\|$/gm)].map(
    ([, place = '', old = '', now = '']) => ({ place: place.trim(), old, now }),
  );

  it('are named once', () => {
    assert.ok(rows.length > 10);
    assert.equal(new Set(rows.map(({ old }) => old)).size, rows.length);
  });

  it('stand in the product with their new name', () => {
    const product = readProduct();
    const plain = ({ place, now }: { place: string; now: string }) =>
      place === 'Redis key' ? `:${now.replace(/<.*/, '')}` : now;
    assert.deepEqual(
      rows.filter((row) => !product.includes(plain(row))),
      [],
    );
  });
});
