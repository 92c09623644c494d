import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { waitFor } from '@diq/testing/wait-for.ts';
import { settingsExitCode } from './run-service.ts';
import { spawnService, type ServiceProcess, type SpawnServiceOptions } from './spawn-service.ts';

const goodEnv = { SAMPLE_PORT: '0', SAMPLE_WORKERS: '1' };
const started: ServiceProcess[] = [];

async function startSample(options: Partial<SpawnServiceOptions> = {}): Promise<ServiceProcess> {
  const entry = new URL('./test-support/sample-main.ts', import.meta.url);
  const service = await spawnService({ entry, env: goodEnv, name: 'sample', ...options });
  started.push(service);
  return service;
}

const startWith = (env: Record<string, string>) => startSample({ env: { ...goodEnv, ...env } });

async function failureOf(promise: Promise<unknown>): Promise<string> {
  const result = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(result instanceof Error, 'it did not fail');
  return result.message;
}

// A process that has ended but was not yet collected by its new parent still has an entry, with state Z.
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

describe('a service in a process of its own', () => {
  afterEach(async () => {
    await Promise.all(started.splice(0).map((service) => service.stop('SIGKILL')));
  });

  it('is handed over when it has announced itself, and answers', async () => {
    const lines: string[] = [];
    const service = await startSample({ onLine: (line, stream) => lines.push(`${stream}: ${line}`) });
    assert.equal(service.ready.service, 'sample');
    assert.equal(service.ready['colour'], 'green');
    const response = await fetch(`http://127.0.0.1:${service.ready.port}/`);
    assert.equal(await response.text(), 'hello');
    await service.stop();
    assert.ok(lines.some((line) => line.startsWith('stdout: ') && line.includes('"msg":"ready"')));
    assert.match(service.output(), /"msg":"ready"/);
  });

  it('sees the given environment, PATH, where Node keeps compiled code and how memory is kept, and nothing else of its parent', async () => {
    process.env['STRAY_SECRET'] = 'stray';
    try {
      const service = await startSample();
      const line =
        service
          .output()
          .split('\n')
          .find((line) => line.includes('"msg":"environment"')) ?? '{}';
      const { names } = JSON.parse(line) as { names: string[] };
      // The channel's variables are Node's own and are gone from the environment again.
      const ofNode = process.env['NODE_COMPILE_CACHE'] === undefined ? [] : ['NODE_COMPILE_CACHE'];
      assert.deepEqual(names.toSorted(), [
        'MALLOC_ARENA_MAX',
        ...ofNode,
        'PATH',
        'SAMPLE_PORT',
        'SAMPLE_WORKERS',
      ]);
    } finally {
      delete process.env['STRAY_SECRET'];
    }
  });

  it('may be JavaScript that starts threads in TypeScript, on a Node that does not run it by itself too', async () => {
    const entry = new URL('./test-support/sample-with-thread.mjs', import.meta.url);
    const { ready } = await startSample({ entry });
    assert.equal(ready['answer'], 'of the thread');
    assert.match(String(ready['nodeArgs']), /--import \S+\/typescript\.mjs/);
  });

  it('may take for ever to be ready, and ends when it is no longer waited for', async () => {
    const giveUp = new AbortController();
    const env = { ...goodEnv, SAMPLE_MODE: 'never-ready' };
    const lines: string[] = [];
    const onLine = (line: string) => lines.push(line);
    const starting = startSample({ env, readyTimeoutMs: Infinity, signal: giveUp.signal, onLine });
    const failed = failureOf(starting);
    await waitFor(() => lines.some((line) => line.includes('"msg":"environment"')), {
      what: 'its first line',
    });
    giveUp.abort();
    assert.match(await failed, /^sample ended \(0\) before it was ready/);
    assert.match(await failureOf(startSample({ env, signal: AbortSignal.abort() })), /^sample ended/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`closes in order and exits with 0 on ${signal}`, async () => {
      const service = await startSample();
      assert.deepEqual(await service.stop(signal), { code: 0, signal: null });
      assert.match(service.output(), /"msg":"closed"/);
    });
  }

  it('ends at once on a second signal, with the code a shell would give', async () => {
    const service = await startWith({ SAMPLE_MODE: 'hangs' });
    service.kill('SIGTERM');
    await waitFor(() => service.output().includes('"msg":"closing"'), { what: 'closing to begin' });
    assert.deepEqual(await service.stop('SIGINT'), { code: 130, signal: null });
  });

  it('is killed when it does not end in time', async () => {
    const service = await startWith({ SAMPLE_MODE: 'hangs' });
    assert.deepEqual(await service.stop('SIGTERM', 50), { code: null, signal: 'SIGKILL' });
  });

  it('prints all faults of its settings plainly and exits with 78', async () => {
    const message = await failureOf(startSample({ env: { SAMPLE_WORKERS: 'many' } }));
    assert.match(message, new RegExp(`ended \\(${settingsExitCode}\\) before it was ready`));
    assert.match(message, /^ {2}SAMPLE_PORT: not set/m);
    assert.match(message, /^ {2}SAMPLE_WORKERS: not such a number/m);
    assert.doesNotMatch(message, /"level"|at .*\.ts/);
  });

  it('logs any other failure to start and exits with 1', async () => {
    const message = await failureOf(startWith({ SAMPLE_MODE: 'fails' }));
    assert.match(message, /ended \(1\)/);
    assert.match(message, /"level":"fatal".*the sample does not want to/);
  });

  it('logs an unhandled rejection as fatal, closes and exits with 1', async () => {
    const service = await startWith({ SAMPLE_MODE: 'rejects' });
    assert.deepEqual(await service.exited, { code: 1, signal: null });
    assert.match(service.output(), /"level":"fatal".*no handler/);
    assert.match(service.output(), /"msg":"closed"/);
  });

  it('is not left running when it never gets ready', async () => {
    const env = { ...goodEnv, SAMPLE_MODE: 'never-ready' };
    const seen: string[] = [];
    const message = await failureOf(
      startSample({ env, readyTimeoutMs: 200, onLine: (line) => seen.push(line) }),
    );
    assert.match(message, /^sample was not ready within 200 ms\. It wrote:/);
    assert.ok(seen.every((line) => message.includes(line)));
  });

  it('does not outlive a parent that is killed', async () => {
    const parent = await startSample({ entry: new URL('./test-support/sample-parent.ts', import.meta.url) });
    const pid = Number(parent.ready['pid']);
    assert.ok(isAlive(pid));
    await parent.stop('SIGKILL');
    await waitFor(() => !isAlive(pid), { what: 'the orphan to end', intervalMs: 50 });
  });
});
