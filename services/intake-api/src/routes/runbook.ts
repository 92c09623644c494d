import { readFileSync } from 'node:fs';
import { contentSecurityPolicy } from 'helmet';
import { Marked } from 'marked';
import { defineContent } from '../http/define-content.ts';
import type { Route } from '../http/define-route.ts';

const markdown = readFileSync(new URL('../../../../docs/runbook.md', import.meta.url), 'utf8');

const guardPage = contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    styleSrc: ["'self'"],
  },
});

/** docs/runbook.md for a person who comes from the status page. It needs no credential. */
export const runbookRoutes: readonly Route<unknown>[] = [
  defineContent('/docs/runbook', () => renderRunbook(markdown), {
    guards: [guardPage],
    headers: { 'Content-Type': 'text/html; charset=utf-8' },
  }),
];

/** Headings have the ids by which `hold.runbook` names them; other pages of the repository are not served, and no links. */
export function renderRunbook(source: string): string {
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${headingId(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens);
        return /^(?:#|https:)/.test(href) ? `<a href="${encodeURI(href)}">${text}</a>` : text;
      },
    },
  });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Runbook: investigation queue</title>
    <link rel="icon" href="../status-page/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="../status-page/page.css">
    <link rel="stylesheet" href="../status-page/parts.css">
    <link rel="stylesheet" href="../status-page/controls.css">
  </head>
  <body>
    <main class="document">
${marked.parse(source, { async: false })}
    </main>
  </body>
</html>
`;
}

/** As GitHub makes them of a heading. */
function headingId(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
