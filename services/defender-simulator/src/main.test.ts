import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { clientId, clientSecret, exchange, tenantId, tokenForm, tokenPath } from '../test/open-simulator.ts';

const run = promisify(execFile);
const main = new URL('./main.ts', import.meta.url).pathname;

interface Ready {
  kind: string;
  service: string;
  origin: string;
  port: number;
  caFile: string;
}

describe('the simulator as a process', () => {
  let folder: string;
  let child: ChildProcess | undefined;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-main-'));
  });
  afterEach(() => {
    child?.kill('SIGKILL');
  });
  after(() => rm(folder, { recursive: true }));

  async function startProcess(): Promise<{ child: ChildProcess; ready: Ready; line: string }> {
    const started = spawn(process.execPath, [...process.execArgv, main], {
      env: environment(join(folder, 'ca.pem')),
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    child = started;
    const lines = createInterface({ input: started.stdout! });
    const [[ready], [line]] = await Promise.all([once(started, 'message'), once(lines, 'line')]);
    return { child: started, ready, line };
  }

  it('says where it is, is trusted through NODE_EXTRA_CA_CERTS alone, and exits 0 on SIGTERM with a hanging request', async () => {
    const { child, ready, line } = await startProcess();
    const { origin, port, caFile } = ready;
    assert.deepEqual(ready, {
      kind: 'ready',
      service: 'simulator',
      origin,
      port,
      caFile: join(folder, 'ca.pem'),
    });
    assert.equal(JSON.parse(line).origin, origin);

    assert.equal(await statusSeenWith(origin, caFile), '200');
    assert.equal(await statusSeenWith(`https://localhost:${port}`, caFile), '200');
    assert.match(await statusSeenWith(origin, undefined), /SELF_SIGNED|DEPTH_ZERO|UNABLE/);

    const agent = new Agent({ ca: await readFile(caFile, 'utf8') });
    const fault = { target: 'token', action: { kind: 'hang' } };
    await exchange(agent, `${origin}/control/faults`, { body: fault });
    const hanging = assert.rejects(exchange(agent, origin + tokenPath, tokenForm()), { code: 'ECONNRESET' });
    await exchange(agent, `${origin}/control/token-requests?wait=1`, {});

    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
    await hanging;
  });

  it('ends when the process that started it is gone', async () => {
    const { child } = await startProcess();
    const exited = once(child, 'exit');
    child.disconnect();
    assert.deepEqual(await exited, [0, null]);
  });

  it('says why it cannot start', async () => {
    const env = { ...environment(join(folder, 'ca.pem')), SIMULATOR_MACHINES: join(folder, 'none.json') };
    await assert.rejects(
      run(process.execPath, [...process.execArgv, main], { env }),
      (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1);
        assert.match(JSON.parse(error.stderr).error, /ENOENT.*none\.json/);
        return true;
      },
    );
  });

  it('does not start without credentials and names all that is missing', async () => {
    const env = { PATH: process.env['PATH'] };
    await assert.rejects(
      run(process.execPath, [...process.execArgv, main], { env }),
      (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1);
        assert.equal(JSON.parse(error.stderr).faults.length, 3);
        return true;
      },
    );
  });
});

/** Asks from a process of its own, because only a new process reads NODE_EXTRA_CA_CERTS. */
async function statusSeenWith(origin: string, caFile: string | undefined): Promise<string> {
  const script = `fetch('${origin}/control/healthz').then((r) => console.log(r.status), (e) => console.log(e.cause.code))`;
  const env = { ...process.env, ...(caFile === undefined ? {} : { NODE_EXTRA_CA_CERTS: caFile }) };
  return (await run(process.execPath, ['-e', script], { env })).stdout.trim();
}

function environment(caFile: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    SIMULATOR_TENANT_ID: tenantId,
    SIMULATOR_CLIENT_ID: clientId,
    SIMULATOR_CLIENT_SECRET: clientSecret,
    SIMULATOR_PORT: '0',
    SIMULATOR_CA_FILE: caFile,
  };
}
