import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { RequestHandler, Router } from 'express';
import { createStrictRouter } from '@diq/runtime/http-server/strict-app.ts';
import { contentSecurityPolicy } from 'helmet';
import { methodNotAllowed } from '../http/middleware/method-not-allowed.ts';
import { serveContent } from '../http/serve-content.ts';
import { createOpenApiDocument } from './create-document.ts';
import { operations } from '../routes/operations.ts';

const scriptPath = '/docs/openapi-explorer.min.js';

/** Everything it needs comes from here; its script runs from a file, and its styles are written by it. */
const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Defender Investigation Queue</title>
    <script type="module" src="${scriptPath}"></script>
  </head>
  <body>
    <openapi-explorer spec-url="/openapi.json" hide-console hide-authentication hide-server-selection></openapi-explorer>
    <noscript>The same as JSON: <a href="/openapi.json">/openapi.json</a></noscript>
  </body>
</html>
`;

/** Not `upgrade-insecure-requests`, which helmet has by itself: the port speaks plain HTTP where no proxy stands before it. */
const guardPage = contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    baseUri: ["'none'"],
    connectSrc: ["'self'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    imgSrc: ["'self'", 'data:'],
    scriptSrc: ["'self'"],
    scriptSrcAttr: ["'none'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
  },
});

/** `GET /openapi.json`, and `GET /docs` to read it in a browser. Neither needs a credential. */
export function createOpenApiRoutes(): Router {
  const router = createStrictRouter();
  const script = createRequire(import.meta.url).resolve(
    'openapi-explorer/dist/browser/openapi-explorer.min.js',
  );
  let serveDocument: RequestHandler | undefined;

  router.get('/openapi.json', (request, response, next) => {
    serveDocument ??= serveContent(JSON.stringify(createOpenApiDocument(operations)), {
      'Content-Type': 'application/json; charset=utf-8',
    });
    serveDocument(request, response, next);
  });
  router.get('/docs', guardPage, serveContent(page, { 'Content-Type': 'text/html; charset=utf-8' }));
  router.get(
    scriptPath,
    serveContent(readFileSync(script), {
      'Content-Type': 'text/javascript; charset=utf-8',
      'Cache-Control': 'public, max-age=3600',
    }),
  );
  for (const path of ['/openapi.json', '/docs', scriptPath]) router.all(path, methodNotAllowed('GET'));
  return router;
}
