import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger } from '../logging/logger.ts';
import { openTracing, noTracing } from './tracing.ts';

const run = promisify(execFile);
const parent = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };

/** Opens traces in a process of its own and reports what that process has loaded of OpenTelemetry by then. */
async function loadedWith(env: Record<string, string>): Promise<string[]> {
  const script = `
    import { createRequire } from 'node:module';
    import { openTracing } from ${JSON.stringify(new URL('./tracing.ts', import.meta.url).href)};
    import { createLogger } from ${JSON.stringify(new URL('../logging/logger.ts', import.meta.url).href)};
    const logger = createLogger({ level: 'silent', service: 'test' });
    const tracing = await openTracing(process.env, 'test', logger);
    tracing.start('a', { kind: 'internal' });
    const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('opentelemetry'));
    process.stdout.write(JSON.stringify(loaded));
    process.exit(0);`;
  const root = fileURLToPath(new URL('../../../..', import.meta.url));
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('OTEL_'));
  const { stdout } = await run(
    process.execPath,
    [...process.execArgv, '--input-type', 'module', '--eval', script],
    {
      cwd: root,
      env: { ...Object.fromEntries(inherited), ...env },
      timeout: 15_000,
    },
  );
  return JSON.parse(stdout) as string[];
}

describe('openTracing', () => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'debug', service: 'test', destination });
  beforeEach(() => void (lines.length = 0));

  it('loads nothing of OpenTelemetry unless the environment asks for traces', async () => {
    assert.deepEqual(await loadedWith({}), []);
    assert.deepEqual(await loadedWith({ OTEL_SERVICE_NAME: 'diq', OTEL_TRACES_EXPORTER: 'none' }), []);
  });

  it('loads it when it does, which shows that the test before can see it', async () => {
    const loaded = await loadedWith({ OTEL_TRACES_EXPORTER: 'otlp' });
    assert.ok(loaded.some((path) => path.includes('sdk-trace')));
  });

  for (const [why, env] of Object.entries({
    'nothing is set': {},
    'what is set is empty': { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_EXPORTER: '' },
    'the exporter is none': {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_TRACES_EXPORTER: 'none',
    },
    'the SDK is disabled': { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' },
  })) {
    it(`records nothing when ${why}, without a word`, async () => {
      assert.equal(await openTracing(env, 'test', logger), noTracing);
      assert.deepEqual(lines, []);
    });
  }

  for (const env of [
    { OTEL_TRACES_EXPORTER: 'zipkin' },
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  ]) {
    it(`says that it cannot do ${Object.values(env).at(-1)}, and goes on without traces`, async () => {
      assert.equal(await openTracing(env, 'test', logger), noTracing);
      assert.match(lines.join(''), /no traces: only otlp over http/);
    });
  }
});

describe('without traces', () => {
  it('what a caller sent is handed on as it is', () => {
    assert.equal(noTracing.start('a', { kind: 'server', parent }).context, parent);
    assert.equal(noTracing.start('a', { kind: 'consumer' }).context, undefined);
  });

  it('a call that goes out is a step of its own', () => {
    const { context } = noTracing.start('a', { kind: 'client', parent });
    assert.match(context?.traceparent ?? '', /^00-0af7651916cd43dd8448eb211c80319c-[\da-f]{16}-01$/);
    assert.notEqual(context?.traceparent, parent.traceparent);
    assert.equal(context?.tracestate, 'a=1');
  });
});
