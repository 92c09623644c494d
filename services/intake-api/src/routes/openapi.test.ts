import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { operationNames } from '@diq/contracts/operations.ts';
import { version } from '@diq/runtime/build-info.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import type { Dependencies } from '../dependencies.ts';
import { createApp } from '../app.ts';
import { createMetrics } from '../observability/metrics.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { redisAway } from '../test-support/items.ts';
import { routesOf } from '../test-support/routes-of.ts';
import { definitions } from './index.ts';

interface OpenApi {
  openapi: string;
  info: { version: string };
  paths: Record<string, object>;
  components: { schemas: Record<string, { properties: Record<string, object>; required: string[] }> };
}

/** For the browser alone: files, and signing in to the status page. */
const isForBrowsers = (route: string) =>
  /\.(?:js|css|svg|html)$|^GET \/$| \/session(?:\/entra(?:\/callback)?)?$|^GET \/docs\/runbook$/.test(route);

describe('GET /openapi.json', () => {
  const intake = useIntake(redisAway);
  const fetchDocument = async () =>
    (await intake.anonymously().get('/openapi.json').expect(200)).body as OpenApi;

  it('is a valid OpenAPI 3.1 document, for which neither Redis nor a credential is needed', async () => {
    const document = await fetchDocument();
    assert.match(document.openapi, /^3\.1\./);
    assert.deepEqual(await new Validator().validate({ ...document }), { valid: true });
  });

  it('is there as OpenAPI 3.0 too, valid, with the same operations and schemas', async () => {
    const { body } = await intake.anonymously().get('/openapi-3.0.json').expect(200);
    const older = body as OpenApi;
    assert.match(older.openapi, /^3\.0\./);
    assert.deepEqual(await new Validator().validate({ ...older }), { valid: true });
    const newer = await fetchDocument();
    const namesOf = ({ paths, components }: OpenApi) => [
      Object.entries(paths).map(([path, methods]) => [path, Object.keys(methods)]),
      Object.keys(components.schemas),
    ];
    assert.deepEqual(namesOf(older), namesOf(newer));
    assert.doesNotMatch(JSON.stringify(older), /"propertyNames"|"const"|"type":\[|"type":"null"/);
  });

  it('states the version of the service', async () => {
    assert.equal((await fetchDocument()).info.version, version);
  });

  it('names every route of the app, and no other', () => {
    const documented = definitions.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    const offered = routesOf(createApp(emptyParts)).filter((route) => !isForBrowsers(route));
    assert.deepEqual(documented.toSorted(), offered.toSorted());
  });

  it('gives each operation a name of its own', () => {
    assert.equal(new Set(definitions.map(({ id }) => id)).size, definitions.length);
  });

  it('names every value of an enumeration in snake_case, but for the definitions, which have the names that Defender gives them', async () => {
    const values = enumerationsIn(await fetchDocument());
    assert.ok(values.includes('move_to_head'));
    const isOther = (value: unknown) => !/^[a-z]+(_[a-z]+)*$/.test(String(value));
    assert.deepEqual(
      new Set(values.filter(isOther)),
      new Set([...operationNames, 'machineAction'].filter(isOther)),
    );
  });

  it('holds the bounds by which bodies are judged', async () => {
    const { components } = await fetchDocument();
    const { InvestigationItem: item, InvestigationBatch: batch } = components.schemas;
    assert.deepEqual(item?.required, ['comment']);
    const namings = ['machineId', 'machineName', 'aadDeviceId'].map((field) => ({ required: [field] }));
    assert.deepEqual(Reflect.get(item, 'oneOf'), namings);
    for (const posted of [item, batch]) assert.ok(posted?.properties['operation'], 'names the operation');
    const { description, ...comment } = item.properties['comment'] as Record<string, unknown>;
    assert.deepEqual(comment, { type: 'string', maxLength: 4_000 });
    assert.match(String(description), /control characters/);
    assert.deepEqual(batch?.properties['requests'], {
      type: 'array',
      minItems: 1,
      maxItems: 10_000,
      items: { $ref: '#/components/schemas/BatchItem' },
    });
  });
});

/** The values of all `enum` and `const` keywords, at any depth. */
function enumerationsIn(schema: unknown): unknown[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([keyword, value]: [string, unknown]) => {
    if (keyword === 'enum' && Array.isArray(value)) return value as unknown[];
    return keyword === 'const' && typeof value === 'string' ? [value] : enumerationsIn(value);
  });
}

describe('GET /docs', () => {
  const intake = useIntake(redisAway);

  it('is a page that asks no other host for anything and carries no script of its own', async () => {
    const { text, headers } = await intake.anonymously().get('/docs').expect(200);
    assert.doesNotMatch(text, /https?:|\/\/[a-z]/);
    assert.doesNotMatch(text, /<script(?![^>]* src="\/)|\son[a-z]+=|javascript:/);
    const policy = headers['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'.*script-src 'self'(?:;|$)/);
    assert.doesNotMatch(policy, /https?:|\*/);
    // It would send a browser that came by plain HTTP to a port that does not speak TLS.
    assert.doesNotMatch(policy, /upgrade-insecure-requests/);
  });

  it('finds here whatever it loads', async () => {
    const { text } = await intake.anonymously().get('/docs');
    const loaded = [...text.matchAll(/(?:src|href|spec-url)="([^"]+)"/g)].map(([, path = '']) => path);
    assert.deepEqual(loaded, ['/docs/openapi-explorer.min.js', '/openapi.json', '/openapi.json']);
    const script = await intake.anonymously().get('/docs/openapi-explorer.min.js').expect(200);
    assert.match(script.headers['content-type'] ?? '', /javascript/);
    assert.match(script.text, /openapi-explorer/);
  });
});

/** Enough to make an app of, which is only looked at. */
const emptyParts = {
  logger: createLogger({ level: 'silent', service: 'none' }),
  metrics: createMetrics(),
  closing: new AbortController().signal,
  trustedProxies: [],
} as unknown as Dependencies;
