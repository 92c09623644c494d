import type { oas31 } from 'zod-openapi';
import { version } from '@diq/runtime/build-info.ts';

/** What the document says of the whole API. */
export const about: oas31.InfoObject = {
  title: 'Defender Investigation Queue',
  version,
  description: [
    'Takes requests to investigate machines, starts them in Microsoft Defender within its quota, and tells where each stands.',
    'Errors are problem documents (RFC 9457) with a stable `code`. A method that a path does not offer is answered 405 ' +
      '`method_not_allowed` with `Allow`, any other path 404 `route_not_found`. What cannot be read as an HTTP request is ' +
      'answered 400, 408, 413 or 431 and the end of the connection.',
    'Times are ISO 8601 in UTC. Poll by `Retry-After`.',
  ].join('\n\n'),
  license: { name: 'MIT', identifier: 'MIT' },
};

/** How callers show who they are; each scope is asked for by the operations that name it. */
export const securitySchemes: Record<string, oas31.SecuritySchemeObject> = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, or an access token of Entra ID where the operators accept these.',
  },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
};
