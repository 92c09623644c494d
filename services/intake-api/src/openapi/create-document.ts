import {
  createDocument,
  type oas31,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
} from 'zod-openapi';
import { z } from 'zod';
import { version as versionOfService } from '@diq/runtime/build-info.ts';
import { problemDocument } from '../http/problem-error.ts';
import {
  headers,
  formsOf,
  operationField,
  tags,
  type HeaderName,
  type HeaderUse,
  type QueueUse,
  type RouteDefinition,
} from '../http/define-route.ts';
import { errorCatalogue, type ErrorCode } from '../http/error-catalogue.ts';

/** 3.0 is for generators and platforms that do not read 3.1 yet; it says the same with fewer words. */
export type OpenApiVersion = '3.1.1' | '3.0.3';

/** The OpenAPI document of these routes. */
export function createOpenApiDocument(
  definitions: readonly RouteDefinition[],
  version: OpenApiVersion = '3.1.1',
): oas31.OpenAPIObject {
  const is30 = version === '3.0.3';
  const paths: ZodOpenApiPathsObject = {};
  for (const operation of definitions.flatMap(formsOf)) {
    const path = templateOf(operation.path);
    paths[path] = { ...paths[path], [operation.method]: describeOperation(operation) };
  }
  const document = createDocument(
    {
      openapi: version,
      info: { ...about, license: is30 ? { name: 'MIT' } : { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/' }],
      tags: tags.map((name) => ({ name })),
      paths,
      components: { schemas: { Problem: problemDocument }, securitySchemes },
    },
    {
      override: ({ jsonSchema }) => {
        // 3.0 cannot bound the names of fields.
        if (is30) delete jsonSchema.propertyNames;
        // `format` says as much, and can be read.
        if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
        // The bounds of numbers in JavaScript are no promise.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      },
    },
  );
  nameCorrelation(document);
  return document;
}

/** What handlers get as one object is given as `correlation.<key>=<value>`, for which OpenAPI has no style. */
function nameCorrelation({ paths }: oas31.OpenAPIObject): void {
  for (const { get } of Object.values(paths ?? {})) {
    for (const parameter of get?.parameters ?? []) {
      if (!('in' in parameter) || parameter.in !== 'query' || parameter.name !== 'correlation') continue;
      Object.assign(parameter, {
        name: 'correlation.<key>',
        description: 'The value of this key; several keys must all have theirs.',
        schema: { type: 'string' },
      });
    }
  }
}

/** `/v1/batches/:id` as OpenAPI writes it. */
function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function describeOperation(operation: RouteDefinition): ZodOpenApiOperationObject {
  const { tag, id, summary, scope, body } = operation;
  const description = descriptionOf(operation);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: scope ? [{ bearer: [scope] }, { apiKey: [scope] }] : [],
    requestParams: parametersOf(operation),
    ...(body
      ? {
          requestBody: {
            required: body.isOptional !== true,
            content: { 'application/json': { schema: body.schema, example: body.example } },
          },
        }
      : {}),
    responses: answersOf(operation),
  };
}

function descriptionOf({ description, isOwnOnly }: RouteDefinition): string | undefined {
  const own = 'Touches what its caller asked for; with the scope `admin` also what others did.';
  return isOwnOnly ? [description, own].filter((text) => text !== undefined).join(' ') : description;
}

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/)
  .optional()
  .describe(
    "Of the caller's choice, a new one for each thing asked: repeats with it get the first answer for 24 h.",
  );
const httpRequestId = z
  .string()
  .optional()
  .describe(
    'The id of the HTTP request, returned and logged as `httpRequestId`; letters, digits, `.`, `_` and `-`, at most 128.',
  );

function parametersOf({ path, query: own, queue, isIdempotent }: RouteDefinition) {
  const byOperation = z.object({ operation: operationField });
  const query = queue === 'query' ? (own?.safeExtend(byOperation.shape) ?? byOperation) : own;
  const ids = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => [name, z.string()] as const);
  return {
    ...(ids.length === 0 ? {} : { path: z.object(Object.fromEntries(ids)) }),
    ...(query ? { query } : {}),
    header: z.object({
      'X-Request-Id': httpRequestId,
      ...(isIdempotent ? { 'Idempotency-Key': idempotencyKey } : {}),
    }),
  };
}

function answersOf(operation: RouteDefinition): ZodOpenApiOperationObject['responses'] {
  const limits: HeaderUse[] = operation.scope ? ['RateLimit?', 'RateLimit-Policy?'] : [];
  const answers = Object.entries(operation.answers).map(([status, answer]) => [
    status,
    {
      description: answer.description,
      headers: describeHeaders(['X-Request-Id', ...limits, ...(answer.headers ?? [])]),
      ...(answer.schema && {
        content: { [answer.mediaType ?? 'application/json']: { schema: answer.schema } },
      }),
    },
  ]);
  const problems = problemAnswers(operation).map(({ status, codes, description, headers: own }) => [
    String(status),
    {
      description,
      headers: describeHeaders(['X-Request-Id', ...(status === 401 ? [] : limits), ...own]),
      content: { 'application/problem+json': { schema: problemOf(codes) } },
    },
  ]);
  return Object.fromEntries([...answers, ...problems]) as ZodOpenApiOperationObject['responses'];
}

function problemOf(codes: readonly string[]) {
  return {
    allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { code: { enum: [...codes] } } }],
  };
}

function describeHeaders(uses: readonly HeaderUse[]) {
  return Object.fromEntries(
    uses.map((use) => {
      const name = use.replace('?', '') as HeaderName;
      return [
        name,
        { description: headers[name], required: !use.endsWith('?'), schema: { type: 'string' as const } },
      ];
    }),
  );
}

/** What the document says of the whole API. */
const about: oas31.InfoObject = {
  title: 'Defender Investigation Queue',
  version: versionOfService,
  description: [
    'Takes requests to investigate machines, starts them in Microsoft Defender within its quota, and tells where each stands.',
    'Errors are problem documents (RFC 9457) with a stable `code`. A method that a path does not offer is answered 405 ' +
      '`method_not_allowed` with `Allow`, any other path 404 `route_not_found`. What cannot be read as an HTTP request is ' +
      'answered 400, 408, 413 or 431 and the end of the connection.',
    'Times are ISO 8601 in UTC. Poll by `Retry-After`.',
  ].join('\n\n'),
};

/** How callers show who they are; each scope is asked for by the operations that name it. */
const securitySchemes: Record<string, oas31.SecuritySchemeObject> = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, or an access token of Entra ID where the operators accept these.',
  },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'An API key.' },
};

/** Every code that an operation can answer with, in the order of the catalogue. */
export function problemsOf(operation: RouteDefinition): ErrorCode[] {
  const { method, scope, path, query, queue, body, isIdempotent, isOwnOnly, problems = [] } = operation;
  const codes = new Set<ErrorCode>([
    ...problems,
    ...(scope ? ofEveryScope : []),
    ...(scope && method !== 'get' ? (['cross_site'] as const) : []),
    ...(queue ? ofEveryQueue[queue] : []),
    ...(queue ? (['tenant_not_found'] as const) : []),
    // A path that cannot be percent-decoded names nothing.
    ...(path.includes(':') ? (['route_not_found'] as const) : []),
    ...(isOwnOnly && path.includes(':') ? (['not_owner'] as const) : []),
    ...(query ? (['invalid_request'] as const) : []),
    ...(body ? ofEveryBody : []),
    ...(isIdempotent ? ofEveryKey : []),
  ]);
  return (Object.keys(errorCatalogue) as ErrorCode[]).filter((code) => codes.has(code));
}

const ofEveryScope: ErrorCode[] = [
  'unauthenticated',
  'forbidden',
  // Only where no credential is needed.
  'foreign_host',
  'rate_limited',
  'internal_error',
  'identity_unavailable',
  'redis_unavailable',
];
const ofEveryQueue: Record<QueueUse, readonly ErrorCode[]> = {
  id: ['other_version'],
  query: ['tenant_required', 'invalid_request', 'other_version'],
  body: ['tenant_required', 'tenant_removed', 'invalid_request', 'other_version'],
};
const ofEveryBody: ErrorCode[] = [
  'malformed_json',
  'invalid_request',
  'body_too_large',
  'unsupported_media_type',
  'intake_busy',
];
const ofEveryKey: ErrorCode[] = ['invalid_request', 'idempotency_in_flight', 'idempotency_key_reused'];

/** One answer for each status, with the codes that it can have. */
export function problemAnswers(operation: RouteDefinition) {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of problemsOf(operation)) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return [...byStatus].map(([status, codes]) => ({
    status,
    codes,
    description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`).join('\n\n'),
    headers: headersOf(status, codes),
  }));
}

function headersOf(status: number, codes: readonly ErrorCode[]): HeaderUse[] {
  if (codes.includes('cross_site')) return ['WWW-Authenticate?'];
  if (status === 401 || status === 403) return ['WWW-Authenticate'];
  if (status === 429 || status === 503) return ['Retry-After'];
  if (status === 409) return ['Retry-After?'];
  return status === 415 ? ['Accept-Encoding?'] : [];
}
