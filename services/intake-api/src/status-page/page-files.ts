import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { version } from '@diq/runtime/build-info.ts';
import { defineContent } from '../http/define-content.ts';
import type { Route } from '../http/define-route.ts';

/** Nothing from elsewhere, nothing inline; what the template library makes HTML of goes through its own policy. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types lit-html',
].join('; ');

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

/** Everything that the page is made of, by the name under which it is served. What is not listed is not served. */
const files = [
  'page.css',
  'icon.svg',
  'page.js',
  'fetch-in-time.js',
  'sign-in.js',
  'sign-in-errors.js',
  'state-view.js',
  'waiting.js',
  'request-cards.js',
  'notices.js',
  'call-chart.js',
  'queue-length-chart.js',
  'results-view.js',
  'one-request/look-up.js',
  'one-request/read-requests.js',
  'one-request/request-view.js',
  'one-request/history.js',
  'machine-name.js',
  'status-badge.js',
  'queues.js',
  'live-state.js',
  'wording.js',
  'times.js',
  'first-step.js',
  'address.js',
  'portal-link.js',
  'views.js',
  'form-text.js',
  'table-view.js',
  'parts.css',
  'controls.css',
  'lists.css',
  'wide.css',
  'lists/request-filter.js',
  'lists/paged-list.js',
  'lists/bulk-actions.js',
  'lists/request-list.js',
  'lists/batch-card.js',
  'lists/batch-list.js',
  'submit/submit.js',
  'submit/submit-form.js',
  'submit/compose-batch.js',
  'submit/operations.js',
  'submit/dry-run-view.js',
  'submit/followed-batch.js',
  'actions/allowed-operations.js',
  'actions/confirmation.js',
  'actions/pause-actions.js',
  'actions/request-actions.js',
  'actions/send-action.js',
] as const;

/** The page at `/`, and its parts under `/status-page/`: for people, without a credential; the data needs one. */
export function createPageRoutes(): Route<unknown>[] {
  const browser = new URL('./browser/', import.meta.url);
  const machineList = new URL(import.meta.resolve('@diq/contracts/machine-list.js'));
  const page = readFileSync(new URL('index.html', browser), 'utf8').replace('{{version}}', version);
  return [
    serve('/', page, 'html'),
    ...files.map((name) => {
      const type = name.slice(name.lastIndexOf('.') + 1) as keyof typeof types;
      return serve(`/status-page/${name}`, readFileSync(new URL(name, browser)), type);
    }),
    serve('/status-page/submit/read-machines.js', readFileSync(machineList), 'js'),
    // The libraries' one file each as it is published; Node itself would be given another build.
    serve('/status-page/lit-html.js', readFileSync(beside('lit-html', '../lit-html.js')), 'js'),
    serve('/status-page/papaparse.js', readFileSync(beside('papaparse', 'papaparse.min.js')), 'js'),
  ];
}

/** A file of a package, by where its entry is. */
function beside(name: string, path: string): URL {
  return new URL(path, pathToFileURL(createRequire(import.meta.url).resolve(name)));
}

/** Read once: they are few and small. */
function serve(path: string, content: string | Buffer, type: keyof typeof types): Route<unknown> {
  return defineContent(path, content, {
    headers: {
      'Content-Type': types[type],
      'Content-Security-Policy': policy,
      // For browsers that do not know frame-ancestors.
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      // A new version of the service is a new page.
      'Cache-Control': 'no-cache',
    },
  });
}
