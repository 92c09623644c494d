import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { lackTool } from '@diq/testing/require-tools.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import {
  childrenOf,
  findByCommand,
  hasProc,
  isAlive,
  killRuns,
  refusesConnections,
  runCommand,
  runScript,
} from './child-run.ts';

const clientSecret = 'the-secret-of-the-application';
const keyHash = 'ab'.repeat(32);
const complete = {
  INTAKE_PORT: '0',
  INTAKE_HOST: '127.0.0.1',
  INTAKE_API_KEYS: `soar:submit:${keyHash}`,
  WORKER_PORT: '0',
  WORKER_HOST: '127.0.0.1',
  AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
  AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
  AZURE_CLIENT_SECRET: clientSecret,
};

describe('npm start', function () {
  this.timeout(90_000);
  after(killRuns);

  it('reports the faults in the settings of both services at once and ends with 78', async () => {
    const run = runCommand('start', { WORKER_PORT: 'many' });
    assert.equal(await run.exited, 78);
    assert.match(run.stderr(), /intake-api cannot start[^]*^ {2}INTAKE_API_KEYS: not set/m);
    assert.match(run.stderr(), /worker cannot start[^]*^ {2}WORKER_PORT: not such a number/m);
    assert.deepEqual(await childrenOf(run.pid), []);
  });

  describe('with all settings but a Redis', () => {
    let started: Awaited<ReturnType<typeof startComplete>>;
    before(async () => {
      started = await startComplete();
    });

    it("keeps Defender's credentials from the intake and the API keys from the worker", async function () {
      if (!hasProc) lackTool(this, '/proc', 'no /proc');
      const { children } = started;
      const environmentOf = async (service: string) =>
        readFile(`/proc/${await findByCommand(children, service)}/environ`, 'utf8');
      const [intake, worker, redis] = await Promise.all(
        ['services/intake-api', 'services/worker', 'embedded-redis'].map(environmentOf),
      );
      assert.ok(intake?.includes(keyHash) && !intake.includes('AZURE_CLIENT'), 'environment of the intake');
      assert.ok(worker?.includes(clientSecret) && !worker.includes('INTAKE_'), 'environment of the worker');
      assert.ok(redis !== undefined && !/AZURE|INTAKE/.test(redis), 'environment of Valkey');
    });

    it('warns on standard error that an embedded Valkey keeps nothing, and leaves nothing after SIGTERM', async () => {
      const { run, ports, children } = started;
      assert.match(run.stderr(), /embedded Valkey.*keeps NOTHING[^]*never for production/);
      for (const line of run.stdout().trim().split('\n')) assert.doesNotThrow(() => JSON.parse(line), line);
      run.kill('SIGTERM');
      assert.equal(await run.exited, 0);
      assert.deepEqual(children.filter(isAlive), []);
      assert.deepEqual(await Promise.all(ports.map(refusesConnections)), [true, true]);
      const closed = [...run.stdout().matchAll(/"service":"(.+?)".*"closed"/g)].map(([, service]) => service);
      assert.deepEqual(closed.slice(0, 2), ['intake-api', 'worker']);
    });
  });

  it('waits with its services for a Redis that is away, however long a start may else take, and stops on SIGTERM', async () => {
    // In the launcher and below, a limit of 20 s for a start is over at once.
    const hurry = `const real = setTimeout; globalThis.setTimeout = (act, ms, ...rest) => real(act, ms === 20000 ? 1 : ms, ...rest);`;
    const run = runCommand('start', {
      ...complete,
      REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(hurry)}`,
    });
    await run.said(/"service":"intake-api".*"ready"/);
    await run.said(/"service":"worker".*"redis lost"/);
    assert.doesNotMatch(run.stderr(), /Not started|was not ready/);
    const children = await childrenOf(run.pid);
    run.kill('SIGTERM');
    assert.equal(await run.exited, 0);
    assert.deepEqual(children.filter(isAlive), []);
  });

  it('does not wait for Redis when one service cannot start at all', async () => {
    const run = runCommand('start', {
      ...complete,
      REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
      INTAKE_API_KEYS: 'no key',
    });
    assert.equal(await run.exited, 78);
    assert.match(run.stderr(), /INTAKE_API_KEYS: [^]*Not started/);
  });

  it('does not wait for Redis when one service ends meanwhile', async function () {
    if (!hasProc) lackTool(this, '/proc', 'no /proc');
    const run = runCommand('start', {
      ...complete,
      REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
    });
    await run.said(/"service":"intake-api".*"ready"/);
    process.kill(await findByCommand(await childrenOf(run.pid), 'services/intake-api'), 'SIGKILL');
    assert.equal(await run.exited, 1);
    assert.match(run.stderr(), /intake-api ended by itself \(SIGKILL\)/);
  });

  it('stops the others and fails with the reason when one service dies', async function () {
    if (!hasProc) lackTool(this, '/proc', 'no /proc');
    const { run, children } = await startComplete();
    process.kill(await findByCommand(children, 'services/worker'), 'SIGKILL');
    assert.equal(await run.exited, 1);
    assert.match(run.stderr(), /worker ended by itself \(SIGKILL\); stopping everything/);
    assert.deepEqual(children.filter(isAlive), []);
  });

  it('leaves nothing behind when it is killed itself', async () => {
    const { run, ports, children } = await startComplete();
    run.kill('SIGKILL');
    await run.exited;
    await waitFor(() => !children.some(isAlive), { what: 'the services to end', timeoutMs: 15_000 });
    assert.deepEqual(await Promise.all(ports.map(refusesConnections)), [true, true]);
  });
});

describe('a service that npm started', function () {
  this.timeout(90_000);
  before(function () {
    if (!hasProc) lackTool(this, '/proc', 'no /proc');
  });
  after(killRuns);

  for (const [script, service] of [
    ['start', 'launcher'],
    ['start:intake', 'intake-api'],
  ] as const) {
    it(`ends in order with npm run ${script}, although npm passes no signal on`, async () => {
      const env = { ...complete, REDIS_URL: `redis://127.0.0.1:${await findFreePort()}` };
      const run = runScript(script, script === 'start' ? complete : env);
      await run.said(new RegExp(`"service":"${service}".*"ready"`));
      run.kill('SIGTERM');
      await run.exited;
      // `exited` has read all output: no process that could still write is left.
      const ports = [...run.stdout().matchAll(/"(?:port|workerPort)":(\d+)/g)].map(([, port]) =>
        Number(port),
      );
      assert.deepEqual(new Set(await Promise.all(ports.map(refusesConnections))), new Set([true]));
    });
  }
});

/** A start with all settings but REDIS_URL, once it is ready. */
async function startComplete() {
  const run = runCommand('start', complete);
  const [line] = await run.said(/^\{.*"service":"launcher".*"ready".*$/m);
  const ready = JSON.parse(line) as { port: number; workerPort: number };
  return { run, ports: [ready.port, ready.workerPort], children: await childrenOf(run.pid) };
}
