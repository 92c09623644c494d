import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { lackTool } from '@diq/testing/require-tools.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import {
  childrenOf,
  findByCommand,
  hasProc,
  isAlive,
  killRuns,
  portsIn,
  refusesConnections,
  runCommand,
  type ChildRun,
} from './child-run.ts';

describe('npm run demo', function () {
  this.timeout(90_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'demo-test-'));
  });
  after(async () => {
    killRuns();
    await rm(folder, { recursive: true, force: true });
  });

  const runDemo = (windowText: string, args: readonly string[] = []) =>
    runCommand('demo', { DEMO_WINDOW: windowText, TMPDIR: folder, TMP: folder, TEMP: folder }, args);

  async function assertNothingLeft(children: readonly number[], ports: readonly number[]): Promise<void> {
    assert.equal(ports.length, 4, 'intake, worker, simulator, Valkey');
    assert.deepEqual(await Promise.all(ports.map(refusesConnections)), [true, true, true, true]);
    assert.deepEqual(children.filter(isAlive), []);
    assert.deepEqual(await demoFolders(), []);
  }

  async function demoFolders(): Promise<string[]> {
    return (await readdir(folder)).filter((name) => name.startsWith('defender-demo-'));
  }

  /** Once everything runs: the children, and that they really are there. */
  async function childrenOfRunning(demo: ChildRun): Promise<number[]> {
    await demo.said(/POST \/v1\/batches: accepted 10, coalesced 1, rejected 1/);
    const children = await childrenOf(demo.pid);
    if (hasProc) assert.equal(children.length, 4);
    assert.equal((await demoFolders()).length, 1);
    return children;
  }

  it('takes the bulk file all the way, checks itself, and leaves nothing behind', async () => {
    const demo = runDemo('1s');
    const children = await childrenOfRunning(demo);
    assert.equal(await demo.exited, 0, demo.stdout() + demo.stderr());

    const output = demo.stdout();
    assert.match(output, /shortened to 5 per 1 s for the demo; Defender's own is 5 per hour/);
    assert.match(output, /11\/11 {2}started 10, waiting 0, failed 1/);
    assert.match(output, /finance-laptop-042\.corp\.example +rejected +invalid_item/);
    assert.match(output, /dead00c4b7e19f5230a8d6c1e4f7b2905a3c8d61 +failed +machine_(?:unknown|not_found)/);
    const shared = /e828a0624ed33f919db541065190d2f75e50a071 +started +(\d+)\n/.exec(output)?.[1];
    assert.match(
      output,
      new RegExp(`E828A0624ED33F919DB541065190D2F75E50A071 +started +${shared} \\(coalesced with #2\\)`),
    );
    assert.equal(output.match(/^ +\d+ .* started +\d+/gm)?.length, 10);
    assert.match(output, /(?:9|10) calls arrived, never more than 5 in any rolling 1 s/);
    assert.equal(demo.stderr(), '');
    await assertNothingLeft(children, portsIn(output));
  });

  it('stays up with --keep, shows a key and a curl line that works as pasted, and ends with 0 on Ctrl-C', async () => {
    const demo = runDemo('1s', ['--keep']);
    const children = await childrenOfRunning(demo);
    const [line] = await demo.said(/^curl .*$/m);
    const pasted = await promisify(execFile)('sh', ['-c', line]);
    const { id } = JSON.parse(pasted.stdout) as { id: string };
    const [, page, key] = await demo.said(/Status page {2}(\S+)[^]*API key {6}(\S+)/);
    await demo.said(new RegExp(`^export INTAKE=${page?.slice(0, -1)} API_KEY=${key}$`, 'm'));
    const headers = { authorization: `Bearer ${key}` };
    const hasEnded = async () => {
      const answer = await fetch(new URL(`/v1/investigations/${id}`, page), { headers });
      const { status, result } = (await answer.json()) as { status: string; result?: { outcome?: string } };
      return status === 'started' && result?.outcome === 'succeeded';
    };
    await waitFor(hasEnded, { what: 'what the pasted request started to end', timeoutMs: 40_000 });
    assert.match(await (await fetch(String(page))).text(), /<title>/);
    await demo.said(/^ {2}Entra ID {5}or sign in to the page as anna@demo\.example/m);
    const begun = await fetch(new URL('/session/entra', page), { redirect: 'manual' });
    assert.match(begun.headers.get('location') ?? '', /^https:.*\/oauth2\/v2\.0\/authorize\?/);
    const paused = await fetch(new URL('/v1/queue/pause', page), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{"reason":"trying it out"}',
    });
    assert.equal(paused.status, 200, 'the key may act on the queue');
    demo.kill('SIGINT');
    assert.equal(await demo.exited, 0);
    await assertNothingLeft(children, [...new Set(portsIn(demo.stdout()))]);
  });

  it('shows with --tenants two tenants with two operations each, whose calls reach the Defender of their own alone', async () => {
    const demo = runDemo('1s', ['--tenants']);
    assert.equal(await demo.exited, 0, demo.stdout() + demo.stderr());
    const output = demo.stdout();
    assert.match(
      output,
      /contoso: 6 investigations, never more than [1-5] in any rolling 1 s \(allowed: 5\); 8 scans/,
    );
    assert.match(
      output,
      /fabrikam: 6 investigations, never more than [12] in any rolling 1 s \(allowed: 2\); 8 scans/,
    );
    assert.match(output, /each call arrived at the Defender of its own tenant, once/);
    assert.equal(demo.stderr(), '');
    assert.deepEqual(await demoFolders(), []);
  });

  it('shows with --tenants --keep a curl line that works as pasted', async () => {
    const demo = runDemo('1s', ['--tenants', '--keep']);
    const [line] = await demo.said(/^curl .*$/m);
    const pasted = await promisify(execFile)('sh', ['-c', line]);
    assert.equal((JSON.parse(pasted.stdout) as { status: string }).status, 'queued');
    demo.kill('SIGINT');
    assert.equal(await demo.exited, 0);
  });

  it('shows with --retired what happens where the call is no longer offered, and that no request is lost', async () => {
    const demo = runDemo('2s', ['--retired']);
    const children = await childrenOfRunning(demo);
    assert.equal(await demo.exited, 0, demo.stdout() + demo.stderr());
    const output = demo.stdout();
    assert.match(output, /"reason": "retired"[^]*"runbook": "docs\/runbook\.md#endpointretired"/);
    assert.match(output, /[1-5] calls? met the answer 410\. 11 of 11 requests wait, none failed\./);
    assert.match(output, /All 11 requests are cancelled/);
    await assertNothingLeft(children, portsIn(output));
  });

  it('ends with 130 on Ctrl-C in the middle and leaves nothing behind', async () => {
    const demo = runDemo('30s');
    const children = await childrenOfRunning(demo);
    await demo.said(/waiting [1-9]\d*, .*next slot in/);
    demo.kill('SIGINT');
    assert.equal(await demo.exited, 130);
    await assertNothingLeft(children, portsIn(demo.stdout()));
  });

  it('leaves nothing behind when it is stopped while it is still starting', async () => {
    const demo = runDemo('30s');
    await demo.said(/Starting embedded Valkey/);
    demo.kill('SIGTERM');
    assert.equal(await demo.exited, 143);
    assert.deepEqual(await childrenOf(demo.pid), []);
    assert.deepEqual(await demoFolders(), []);
  });

  it('fails with the reason in one line when a service dies, showing what that wrote last', async function () {
    if (!hasProc) lackTool(this, '/proc', 'no /proc');
    const demo = runDemo('30s');
    const children = await childrenOfRunning(demo);
    const worker = await findByCommand(children, 'services/worker');
    process.kill(worker, 'SIGKILL');
    assert.equal(await demo.exited, 1);
    assert.match(demo.stderr(), /The last lines of worker:\n(\{.*\n)*\{.*"ready"/);
    assert.match(demo.stderr(), /^The demo failed: worker ended by itself \(SIGKILL\)\n$/m);
    await assertNothingLeft(children, portsIn(demo.stdout()));
  });
});
