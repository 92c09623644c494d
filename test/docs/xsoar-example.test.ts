import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { lackTool } from '@diq/testing/require-tools.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';

const python = '/usr/bin/python3';
const automation = new URL('../../examples/xsoar_submit.py', import.meta.url);
const host = new URL('./support/xsoar-host.py', import.meta.url);

const known = ['a1'.repeat(20), 'b2'.repeat(20)];

describe('the XSOAR automation in examples', function () {
  this.timeout(30_000);
  const intake = useIntake(useEmbeddedRedis());
  /** What the proxy answers before it lets requests through, the next one first. */
  let answersFirst: ((response: ServerResponse) => void)[] = [];
  let proxy: Server;
  let proxyUrl: string;

  before('look for python3 with requests', function () {
    if (spawnSync(python, ['-c', 'import requests']).status === 0) return;
    lackTool(this, 'python3', `no ${python} with the package requests`);
  });
  before('start a proxy', async () => {
    proxy = createServer((incoming, outgoing) => {
      const scripted = answersFirst.shift();
      if (scripted) {
        incoming.resume().on('end', () => scripted(outgoing));
        return;
      }
      const { method, url, headers } = incoming;
      const passed = httpRequest(new URL(url ?? '/', intake.url), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(passed);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  after('stop the proxy', () => proxy?.close());
  beforeEach(() => (answersFirst = []));

  const run = (args: object, incident = '4711') =>
    runAutomation({
      args: { intake: proxyUrl, key: keys.playbook, comment: 'INC-4711: logon', ...args },
      incident: { id: incident },
    });

  it('stands word for word in docs/api.md', () => {
    const page = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
    assert.ok(page.includes(`\`\`\`python\n${readFileSync(automation, 'utf8')}\`\`\``));
  });

  it('hands back the batch, and names the machines that were rejected', async () => {
    const { results, errors } = await run({ machines: [...known, 'laptop-042'] });
    assert.deepEqual(errors, []);
    const [{ outputs, readable_output: readable }] = results as [Handed];
    assert.deepEqual(outputs.counts, { accepted: 2, coalesced: 0, rejected: 1 });
    assert.equal(outputs.rejected.length, 1);
    assert.match(outputs.rejected[0] ?? '', /^laptop-042: .*machine id/);
    assert.match(readable, /Rejected: laptop-042: /);
  });

  it('gets the first batch again when the task is repeated, and another one for other machines', async () => {
    const task = { machines: known, comment: 'repeated' };
    const first = batchOf(await run(task));
    assert.equal(batchOf(await run(task)), first);
    assert.notEqual(batchOf(await run({ ...task, machines: ['c3'.repeat(20)] })), first);
    assert.notEqual(batchOf(await run(task, '4712')), first, 'another incident');
  });

  it('repeats what passes by itself, be it a 503 of the queue or a page of a proxy', async () => {
    answersFirst = [
      (response) => response.writeHead(503, { 'retry-after': '0' }).end('{"code":"redis_unavailable"}'),
      (response) =>
        response.writeHead(502, { 'content-type': 'text/html', 'retry-after': '0' }).end('<h1>bad</h1>'),
    ];
    assert.match(batchOf(await run({ machines: known })), /^[\da-f-]{36}$/);
    assert.equal(answersFirst.length, 0);
  });

  it('says what is wrong, with the field, where the queue refuses', async () => {
    const { results, errors } = await run({ machines: ['laptop-042'] });
    assert.deepEqual(results, []);
    assert.match(errors[0] ?? '', /machineId/);
  });

  it('survives a page that is none of the queue', async () => {
    answersFirst = [
      (response) => response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>blocked</h1>'),
    ];
    const { errors } = await run({ machines: known });
    assert.match(errors[0] ?? '', /HTTP 403, not from the queue: '<h1>blocked<\/h1>'/);
  });
});

interface Handed {
  outputs: { id: string; counts: object; rejected: string[] };
  readable_output: string;
}

interface Said {
  results: unknown[];
  errors: string[];
}

async function runAutomation(given: object): Promise<Said> {
  const child = spawn(python, [fileURLToPath(host), fileURLToPath(automation)], {
    env: { PATH: '/usr/bin:/bin', NO_PROXY: '*', PYTHONDONTWRITEBYTECODE: '1' },
  });
  child.stdin.end(JSON.stringify(given));
  const [output, complaint] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (output === '') throw new Error(complaint);
  return JSON.parse(output) as Said;
}

function batchOf({ results, errors }: Said): string {
  assert.deepEqual(errors, []);
  return (results as [Handed])[0].outputs.id;
}
