import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { version } from '@diq/runtime/build-info.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { redisAway } from '../test-support/items.ts';

const browser = new URL('./browser/', import.meta.url);

describe('the status page', () => {
  // It is there without Redis too, to say that nothing can be read.
  const intake = useIntake(redisAway);
  const get = (path: string) => intake.anonymously().get(path).expect(200);

  it('forbids the browser everything but its own scripts, styles, pictures and data', async () => {
    const { headers } = await get('/');
    assert.equal(
      headers['content-security-policy'],
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; " +
        'trusted-types lit-html',
    );
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['x-frame-options'], 'DENY');
  });

  it('states the version of the service', async () => {
    const { text } = await get('/');
    assert.ok(text.includes(`<footer class="version">Version ${version} `), text);
  });

  it('has no script or style inline, and names no other host', async () => {
    const { text } = await get('/');
    assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|https?:|\/\/\w/i);
  });

  it('serves every file it is made of, as what it is, and nothing else of its folder', async () => {
    const types: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' };
    for (const name of readdirSync(browser, { encoding: 'utf8', recursive: true }).filter((file) =>
      /\.(js|css|svg)$/.test(file),
    )) {
      const { headers } = await get(`/status-page/${name}`);
      assert.ok(headers['content-type']?.startsWith(types[name.split('.').at(-1) ?? ''] ?? '?'), name);
    }
    for (const name of ['tsconfig.json', 'lit-html.d.ts', '..%2fpage-files.ts', 'index.html']) {
      await intake.anonymously().get(`/status-page/${name}`).expect(404);
    }
  });

  for (const [library, path] of [
    ['lit-html.js', 'lit-html/lit-html.js'],
    ['papaparse.js', 'papaparse/papaparse.min.js'],
  ] as const) {
    it(`serves ${library} as it is published for browsers, which loads nothing more and makes no code of text`, async () => {
      const { text } = await get(`/status-page/${library}`);
      const published = new URL(`../../../../node_modules/${path}`, import.meta.url);
      assert.equal(text, readFileSync(published, 'utf8'));
      assert.doesNotMatch(text, /^import |new Function|\beval\(/m);
    });
  }
});
