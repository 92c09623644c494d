import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);
const pagesIn = (folder: string) =>
  readdirSync(new URL(folder, root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}${name}`);
const roomsIn = (folder: string) =>
  readdirSync(new URL(folder, root), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}${name}/`);
const pages = [
  './',
  'docs/',
  'docs/decisions/',
  'examples/integrations/',
  ...['services/', 'shared/', 'examples/integrations/'].flatMap(roomsIn),
].flatMap(pagesIn);

/** As GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase());
  return new Set(headings.map((text) => text.replaceAll(/[^\w -]/g, '').replaceAll(' ', '-')));
}

describe('documents', () => {
  it('stand where this test looks for them', () => {
    for (const page of [
      './README.md',
      'docs/decisions/0001-ledger-behind-bottleneck.md',
      'shared/quota/README.md',
    ])
      assert.ok(pages.includes(page), page);
  });

  for (const page of pages) {
    it(`link only to files and headings that exist: ${page}`, () => {
      const url = new URL(page, root);
      const markdown = readFileSync(url, 'utf8');
      for (const [, target = ''] of markdown.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? url : new URL(path, url);
        assert.ok(existsSync(file), target);
        if (anchor !== undefined) assert.ok(anchorsOf(readFileSync(file, 'utf8')).has(anchor), target);
      }
    });
  }
});
