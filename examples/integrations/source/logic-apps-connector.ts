import { createOpenApiDocument } from '@diq/intake-api/openapi/create-document.ts';
import { definitions } from '@diq/intake-api/routes/index.ts';
import { asSwaggerSchema, definitionsBehind, wordsOf, type Schema } from './swagger-schema.ts';

/** What a flow needs, in the order in which it is shown; the rest of the API is for operators and programs. */
const offered = [
  'submitBatch',
  'getBatch',
  'listBatchItems',
  'cancelBatch',
  'submitRequest',
  'getRequest',
  'cancelRequest',
  'getQuota',
] as const;

/** What a maker of flows sees first. */
const important = ['id', 'Idempotency-Key'];

/** What the API's own document leaves to the path to say. */
const cursorText = 'Of the page before: what follows `cursor=` in its `nextLink`.';

interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
}

interface Document {
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/**
 * The description of a custom connector for Logic Apps, Power Automate and Power Apps: OpenAPI 2.0, of the operations that a
 * flow needs, out of the document that the intake serves. The connector takes no 3.x, and knows nothing of `oneOf`.
 */
export function logicAppsConnector(): object {
  // As it is served: what is undefined in it is gone.
  const document = JSON.parse(JSON.stringify(createOpenApiDocument(definitions, '3.0.3'))) as Document;
  const { schemas } = document.components;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const paths: Record<string, Record<string, object>> = {};
  for (const id of offered) {
    const found = operations.find(({ operation }) => operation.operationId === id);
    if (!found) throw new Error(`the API has no operation ${id}`);
    paths[found.path] = { ...paths[found.path], [found.method]: describe(found, schemas) };
  }
  return {
    swagger: '2.0',
    info: {
      title: 'Defender Investigation Queue',
      description: 'Starts investigations and other actions of Microsoft Defender within its quota.',
      version: document.info.version,
    },
    host: 'queue.example.com',
    basePath: '/',
    schemes: ['https'],
    consumes: ['application/json'],
    produces: ['application/json'],
    paths,
    definitions: definitionsBehind(paths, schemas),
    securityDefinitions: { 'API Key': { type: 'apiKey', in: 'header', name: 'X-API-Key' } },
    security: [{ 'API Key': [] }],
  };
}

function describe(
  { path, operation }: { path: string; operation: Operation },
  schemas: Record<string, Schema>,
): object {
  const idOf = path.startsWith('/v1/batches') ? 'batch' : 'request';
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content['application/json']?.schema;
  // A dry run has another answer, and a connector's action has one; the id of a call is the platform's own.
  const shown = parameters.filter(({ name }) => name !== 'dryRun' && name !== 'X-Request-Id');
  return {
    operationId: operationId.replace(/^./, (letter) => letter.toUpperCase()),
    summary,
    description: description ?? `${summary}.`,
    ...(operationId.startsWith('submit') ? { 'x-ms-visibility': 'important' } : {}),
    parameters: [
      ...shown.map((parameter) => parameterOf(named(parameter, idOf), schemas)),
      ...(body
        ? [
            {
              in: 'body',
              name: 'body',
              required: true,
              'x-ms-summary': 'Body',
              schema: asSwaggerSchema(body, schemas),
            },
          ]
        : []),
    ],
    responses: responsesOf(responses, operationId.startsWith('submit') ? '202' : '200', schemas),
  };
}

function named(parameter: Parameter, idOf: string): Parameter & { title?: string } {
  if (parameter.name === 'cursor') return { ...parameter, description: cursorText };
  if (parameter.name !== 'id') return parameter;
  return { ...parameter, title: wordsOf(`${idOf}Id`), description: `The id of the ${idOf}.` };
}

function parameterOf(
  { in: place, name, title, required = false, description, schema }: Parameter & { title?: string },
  schemas: Record<string, Schema>,
) {
  const words = title ?? wordsOf(name);
  return {
    in: place,
    name,
    required,
    'x-ms-summary': words,
    'x-ms-visibility': important.includes(name) ? 'important' : 'advanced',
    ...(place === 'path' ? { 'x-ms-url-encoding': 'single' } : {}),
    ...asSwaggerSchema({ ...schema, description: description ?? schema.description ?? `${words}.` }, schemas),
  };
}

/** The one success that a flow gets, and the problem document for everything else. */
function responsesOf(responses: Operation['responses'], success: string, schemas: Record<string, Schema>) {
  const answer = responses[success];
  const schema = answer?.content?.['application/json']?.schema;
  if (!answer || !schema) throw new Error(`no answer ${success} with a body`);
  return {
    [success]: { description: answer.description, schema: asSwaggerSchema(schema, schemas) },
    default: {
      description: 'A problem document.',
      schema: asSwaggerSchema({ $ref: '#/components/schemas/Problem' }, schemas),
    },
  };
}
