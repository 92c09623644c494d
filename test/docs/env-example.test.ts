import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { environmentNames } from '@diq/defender-simulator/config.ts';
import { readIntakeSettings } from '@diq/intake-api/config/config.ts';
import { proxyShape } from '@diq/runtime/http-client/proxy-settings.ts';
import { tenantShape } from '@diq/tenants/tenant-settings.ts';
import { redisShape } from '@diq/redis/redis-settings.ts';
import { readWorkerConfig } from '@diq/worker/config.ts';

interface Line {
  readonly name: string;
  readonly value: string;
  /** Behind a `#`: the default, or nothing where there is none. */
  readonly isOptional: boolean;
}

/** Not read by a schema of ours; that they mean what the page says is tested with a collector. */
const readByOpenTelemetry: ReadonlySet<string> = new Set([
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_TRACES_EXPORTER',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
]);

describe('.env.example', () => {
  let lines: readonly Line[];
  let ofServices: ReadonlySet<string>;
  before(async () => {
    lines = parse(await readFile(new URL('../../.env.example', import.meta.url), 'utf8'));
    ofServices = new Set([
      ...Object.keys(redisShape({})),
      ...Object.keys(tenantShape({})),
      ...Object.keys(proxyShape({})),
      ...(await settingsOf('intake-api')),
      ...(await settingsOf('worker')),
    ]);
  });

  it('names no setting that no service reads', () => {
    const known = new Set([...ofServices, ...Object.values(environmentNames)]);
    const isKnown = (name: string) =>
      known.has(name) || known.has(name.replace(/_FILE$/, '')) || readByOpenTelemetry.has(name);
    assert.deepEqual(
      lines.map(({ name }) => name).filter((name) => !isKnown(name)),
      [],
    );
  });

  it('names every setting of intake and worker, each once', () => {
    const names = lines.map(({ name }) => name);
    assert.deepEqual(
      [...ofServices].filter((name) => !names.includes(name)),
      [],
    );
    assert.equal(new Set(names).size, names.length);
  });

  it('holds no secret and asks for each one', () => {
    const secrets = lines.filter(({ name }) => /SECRET|KEYS/.test(name));
    assert.deepEqual(
      secrets.map(({ name, value }) => [name, value]),
      [
        'INTAKE_API_KEYS',
        'INTAKE_API_KEYS_FILE',
        'INTAKE_ENTRA_CLIENT_SECRET',
        'INTAKE_ENTRA_CLIENT_SECRET_FILE',
        'CALLBACK_SECRET',
        'CALLBACK_SECRET_FILE',
        'AZURE_CLIENT_SECRET',
        'AZURE_CLIENT_SECRET_FILE',
      ].map((name) => [name, '']),
    );
  });

  it('lists the defaults that apply, and leaves open exactly what has none', () => {
    const filledIn = {
      REDIS_URL: 'redis://localhost:6379',
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      AZURE_CLIENT_SECRET: 'secret',
      INTAKE_API_KEYS: `soar:submit:${'0'.repeat(64)}`,
    };
    const mandatory = lines.filter(({ isOptional }) => !isOptional).map(({ name }) => name);
    assert.deepEqual(mandatory.toSorted(), Object.keys(filledIn).toSorted());

    const documented = Object.fromEntries(lines.map(({ name, value }) => [name, value]));
    assert.deepEqual(readWorkerConfig({ ...documented, ...filledIn }), readWorkerConfig(filledIn));
    assert.deepEqual(readIntakeSettings({ ...documented, ...filledIn }), readIntakeSettings(filledIn));
    assert.equal(documented['LOG_LEVEL'], 'info');
  });
});

function parse(text: string): Line[] {
  return [...text.matchAll(/^(# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, mark, name = '', value = '']) => ({
    name,
    value,
    isOptional: mark !== undefined,
  }));
}

/** The keys of the schemas in a service's `config.ts` and `*-settings.ts`, wherever they stand, which are the names of the variables. */
async function settingsOf(service: string): Promise<string[]> {
  const folder = new URL(`../../services/${service}/src/`, import.meta.url);
  const files = (await readdir(folder, { recursive: true, encoding: 'utf8' })).filter((file) =>
    /(^|\/)config\.ts$|-settings\.ts$/.test(file),
  );
  const sources = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
  const names = [...sources.join('\n').matchAll(/^ +([A-Z][A-Z0-9_]+): /gm)].map(([, name = '']) => name);
  assert.ok(names.includes('LOG_LEVEL'), `no schema found in ${service}`);
  return names;
}
