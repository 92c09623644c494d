import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { mock } from 'node:test';
import { createLinkRewriter } from './rewrite-links.ts';

const rewrite = (link: string) =>
  link.startsWith('https://api.') ? link.replace('https://api.', 'https://own.') : undefined;

async function through(chunks: readonly (string | Buffer)[]): Promise<string> {
  const source = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  return text(source.pipe(createLinkRewriter(rewrite)));
}

const page = JSON.stringify({
  '@odata.context': 'https://api.x/api/$metadata#Alerts',
  value: [{ title: 'says "@odata.nextLink":"https://api.x/1" ünd', odd: '@odata.nextLink' }],
  '@odata.nextLink': 'https://api.x/api/alerts?$skip=10&a=ü',
});
const expected = page.replace('https://api.x/api/alerts', 'https://own.x/api/alerts');

describe('links to further pages', () => {
  it('lead through the front door, wherever the bytes are cut, and nothing else changes', async () => {
    const bytes = Buffer.from(page);
    for (let cut = 0; cut <= bytes.length; cut += 1)
      assert.equal(await through([bytes.subarray(0, cut), bytes.subarray(cut)]), expected);
    assert.equal(await through([...bytes].map((byte) => Buffer.of(byte))), expected);
  });

  it('are found with blanks around the colon, escaped, and more than once', async () => {
    const given = '{"@odata.nextLink" : "https:\\/\\/api.x\\/a","b":{"@odata.nextLink":"https://api.x/b"}}';
    const made = '{"@odata.nextLink":"https://own.x/a","b":{"@odata.nextLink":"https://own.x/b"}}';
    assert.equal(await through([given]), made);
  });

  it('are left as they are where they are others, or no text', async () => {
    for (const given of [
      '{"@odata.nextLink":"https://else.where/a"}',
      '{"@odata.nextLink":null}',
      '{"@odata.nextLink":"https://api.x/\\u12"}',
      '{"@odata.nextLink":"https://api.x/a',
      `{"@odata.nextLink":"https://api.x/${'a'.repeat(20_000)}"}`,
      '',
    ])
      assert.equal(await through([given]), given);
  });

  it('hold back no more than a link has room for', async () => {
    const rewriter = createLinkRewriter(rewrite);
    rewriter.resume();
    rewriter.write(`{"@odata.nextLink":"https://api.x/${'a'.repeat(9_000)}`);
    let out = 0;
    rewriter.on('data', (chunk: Buffer) => (out += chunk.length));
    const more = Buffer.from('b'.repeat(100_000));
    await new Promise((resolve) => rewriter.write(more, resolve));
    assert.ok(out > 100_000, `${out}`);
    rewriter.destroy();
  });

  it('are looked for again only when as much more has come, where bytes come one by one', async () => {
    const count = 16_000;
    const begin = '"@odata.nextLink":"';
    const { mock: matches } = mock.method(RegExp.prototype, 'exec');
    try {
      const rewriter = createLinkRewriter(rewrite).resume();
      rewriter.write(begin);
      for (let i = 0; i < count; i += 1) rewriter.write(Buffer.of(0x78));
      rewriter.end();
      await once(rewriter, 'end');
    } finally {
      matches.restore();
    }
    const charsRead = matches.calls
      .filter((call) => (call.this as RegExp).source.includes('nextLink'))
      .reduce((sum, { arguments: [text] }) => sum + text.length, 0);
    assert.ok(charsRead >= begin.length + count, `${charsRead}`);
    assert.ok(charsRead < 4 * (begin.length + count), `${charsRead}`);
  });
});
