import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { contentSecurityPolicy } from 'helmet';
import { z } from 'zod';
import { defineContent } from '../http/define-content.ts';
import type { Route, RouteDefinition } from '../http/define-route.ts';
import { createOpenApiDocument, type OpenApiVersion } from '../openapi/create-document.ts';

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

/** The document of these routes, and a page to read it in a browser. Neither needs a credential. */
export function createOpenApiRoutes(definitions: () => readonly RouteDefinition[]): Route<unknown>[] {
  const script = createRequire(import.meta.url).resolve(
    'openapi-explorer/dist/browser/openapi-explorer.min.js',
  );
  const documentAt = (path: string, id: string, version: OpenApiVersion) =>
    defineContent(path, () => JSON.stringify(createOpenApiDocument(definitions(), version)), {
      headers: { 'Content-Type': 'application/json; charset=utf-8' },
      definition: {
        method: 'get',
        path,
        id,
        tag: 'Operations',
        summary: `This document, as OpenAPI ${version.slice(0, 3)}`,
        answers: {
          200: {
            description: `OpenAPI ${version.slice(0, 3)}.`,
            schema: z.looseObject({ openapi: z.string() }),
          },
        },
      },
    });
  return [
    documentAt('/openapi.json', 'getOpenApi', '3.1.1'),
    documentAt('/openapi-3.0.json', 'getOpenApi30', '3.0.3'),
    defineContent('/docs', page, {
      guards: [guardPage],
      headers: { 'Content-Type': 'text/html; charset=utf-8' },
      definition: {
        method: 'get',
        path: '/docs',
        id: 'getDocs',
        tag: 'Operations',
        summary: 'This document, to be read',
        answers: { 200: { description: 'A page.', mediaType: 'text/html', schema: z.string() } },
      },
    }),
    defineContent(scriptPath, () => readFileSync(script), {
      headers: { 'Content-Type': 'text/javascript; charset=utf-8', 'Cache-Control': 'public, max-age=3600' },
    }),
  ];
}
