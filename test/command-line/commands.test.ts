import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { machineId, unknownId } from '@diq/intake-api/test-support/items.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { findFreePort } from '@diq/runtime/processes/free-port.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { runDiq } from './run-diq.ts';

describe('diq', () => {
  const intake = useIntake(useEmbeddedRedis());
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'diq-files-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const diq = (args: readonly string[], key: keyof typeof keys = 'playbook', stdin = '') =>
    runDiq(args, { env: { DIQ_URL: intake.url, DIQ_API_KEY: keys[key] }, stdin });
  async function json<T = Record<string, unknown>>(
    args: readonly string[],
    key?: keyof typeof keys,
    stdin?: string,
  ) {
    const { code, out, complaints } = await diq([...args, '--json'], key, stdin);
    assert.equal(code, 0, complaints);
    return JSON.parse(out) as T;
  }
  interface Submitted {
    id: string;
    counts: { accepted: number };
    items: { id: string }[];
  }
  async function fileOf(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  }

  it('submits machines out of CSV, text, JSON and stdin, and says which line was refused', async () => {
    const csv = await fileOf(
      'machines.csv',
      `Device ID,priority,odd\n${machineId(1)},high,x\n${machineId(2)},soon,x\n`,
    );
    const refused = await diq(['submit', csv, '--comment', 'INC-1']);
    assert.equal(refused.code, 1);
    assert.match(
      refused.out,
      /accepted 1, coalesced 0, rejected 1\nline .*\n3 +0+2 +invalid_item: .*priority/,
    );
    assert.match(refused.complaints, /not used: odd/);
    const txt = await fileOf('machines.txt', `${machineId(3)}\n\nlaptop-7.corp.example\n`);
    const json2 = await fileOf('one.json', JSON.stringify({ machineId: machineId(4), comment: 'x' }));
    const accepted = async (args: readonly string[], stdin?: string) =>
      (await json<Submitted>(['submit', ...args], 'playbook', stdin)).counts.accepted;
    assert.equal(await accepted([txt, '--comment', 'x', '--correlation', 'incident=INC-2']), 2);
    assert.equal(await accepted([json2]), 1);
    assert.equal(await accepted(['-', '--comment', 'x'], `${machineId(5)}\n`), 1);
    const [found] = await json<{ machineName: string }[]>([
      'list',
      '--correlation',
      'incident=INC-2',
      '--limit',
      '1',
    ]);
    assert.equal(found?.machineName, 'laptop-7.corp.example');
  });

  it('sends nothing of a file that cannot be used, and names what is wrong', async () => {
    for (const [name, text, fault] of [
      ['a.csv', 'comment,machineId\nx,\n', /Line 2 names no machine/],
      ['b.json', '{ "requests": [', /is not valid JSON/],
      ['c.txt', '\n', /names no machine/],
      ['d.txt', 'a,b\nc,d\n', /several columns/],
    ] as const) {
      const { code, complaints, out } = await diq(['submit', await fileOf(name, text), '--comment', 'x']);
      assert.deepEqual([code, out], [2, ''], name);
      assert.match(complaints, fault);
    }
  });

  it('records nothing with --dry-run', async () => {
    const { counts } = await json<Submitted>(
      ['submit', '-', '--comment', 'x', '--source', 'dry', '--dry-run'],
      'playbook',
      machineId(6),
    );
    assert.equal(counts.accepted, 1);
    assert.deepEqual(await json(['list', '--source', 'dry']), []);
  });

  it('watches to the end, with progress beside the answer, and says in its code that something failed', async () => {
    const { id } = await json<Submitted>(['submit', '-', '--comment', 'x'], 'playbook', `${machineId(7)}\n`);
    const watching = diq(['watch', id, '--every', '1']);
    await makeCall(intake, machineId(7), failed);
    const { code, out, complaints } = await watching;
    assert.equal(code, 1);
    assert.match(out, /status +completed/);
    assert.match(out, /\n1 +0+7 +failed +machine_not_found/);
    assert.match(complaints, /1\/1 {2}started 0, failed 1, waiting 0/);
  });

  it('stops watching after --timeout, with a code of its own', async () => {
    const { items } = await json<Submitted>(['submit', '-', '--comment', 'x'], 'playbook', machineId(8));
    const { code, complaints } = await diq(['watch', items[0]?.id ?? '', '--timeout', '1']);
    assert.equal(code, 7);
    assert.match(complaints, /diq watch/);
  });

  it('stops after --timeout also where the service is silent', async () => {
    const silent = createServer(() => undefined);
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const env = { DIQ_URL: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, DIQ_API_KEY: 'k' };
    try {
      assert.equal((await runDiq(['watch', unknownId, '--timeout', '1'], { env })).code, 6);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  it('gets, cancels and retries a request, a batch, and what has something in common', async () => {
    const text = `${machineId(10)}\n${machineId(11)}\n`;
    const { id, items } = await json<Submitted>(
      ['submit', '-', '--comment', 'x', '--source', 'many'],
      'playbook',
      text,
    );
    const [first] = items;
    assert.ok(first);
    assert.match((await diq(['get', id])).out, /requests +2: started 0, waiting 2/);
    assert.match((await diq(['get', first.id])).out, /status +queued/);
    assert.equal((await json(['cancel', first.id]))['status'], 'cancelled');
    assert.equal((await json(['cancel', id]))['cancelled'], 1);
    assert.equal((await json(['retry', id, '--status', 'cancelled']))['retried'], 2);
    assert.equal((await json(['cancel', '--source', 'many']))['cancelled'], 2);
    assert.equal((await diq(['retry', first.id])).code, 5);
    const odd = await diq(['retry', first.id, '--status', 'failed']);
    assert.deepEqual([odd.code, /--status/.test(odd.complaints)], [2, true]);
  });

  it('cancels by id without the scope read', async () => {
    const text = `${machineId(20)}\n${machineId(21)}\n`;
    const args = ['submit', '-', '--comment', 'x'];
    const { id, items } = await json<Submitted>(args, 'submitter', text);
    assert.match((await diq(['cancel', items[0]?.id ?? ''], 'submitter')).out, /^cancelled /);
    assert.equal((await json(['cancel', id], 'submitter'))['cancelled'], 1);
    const unknown = await diq(['cancel', unknownId], 'submitter');
    assert.deepEqual([unknown.code, /request_not_found/.test(unknown.complaints)], [4, true]);
  });

  it('shows quota and queues, pauses and resumes', async () => {
    assert.match((await diq(['quota'])).out, /5 in 3600 s +1 +4/);
    assert.match((await diq(['queues'])).out, /default +initiateInvestigation/);
    assert.deepEqual(await json(['queues', '--operation', 'offboard']), []);
    assert.match((await diq(['pause', '--reason', 'Drill'], 'operator')).out, /paused by operator/);
    assert.match((await diq(['quota'])).out, /PAUSED by operator .*Drill/);
    assert.match((await diq(['resume'], 'operator')).out, /resumed/);
  });

  it('ends with the code that says why', async () => {
    assert.equal((await diq(['get', unknownId])).code, 4);
    assert.equal((await diq(['pause', '--reason', 'x'], 'reader')).code, 3);
    assert.equal((await diq(['list', '--nonsense'])).code, 2);
    assert.equal((await diq(['list', '--status', 'nonsense'])).code, 2);
    assert.equal((await diq([])).code, 2);
    assert.equal((await diq(['cancel'])).code, 2);
    const url = `http://127.0.0.1:${await findFreePort()}`;
    const away = await runDiq(['doctor'], { env: { DIQ_URL: url, DIQ_API_KEY: 'k' } });
    assert.equal(away.code, 1);
    assert.match(away.out, /FAULT +service: .*ECONNREFUSED\.\n +→ Check address/);
  });

  it('stops reading stdin at the first Ctrl-C, a file or a key', async () => {
    const env = { DIQ_URL: intake.url, DIQ_API_KEY: keys.playbook };
    for (const args of [
      ['submit', '-', '--comment', 'x'],
      ['quota', '--key-stdin'],
      ['doctor', '--key-stdin'],
    ]) {
      const stop = new AbortController();
      // Who reads it does so until its end.
      const stdin = new Readable({ read: () => stop.abort() });
      const { code, complaints } = await runDiq(args, { env, stdin, signal: stop.signal });
      assert.deepEqual([code, complaints], [130, 'diq: Stopped.\n'], args.join(' '));
    }
  });

  it('checks the key and the queue as doctor', async () => {
    const findings = await json<{ check: string; state: string; detail: string }[]>(['doctor'], 'operator');
    assert.deepEqual(
      findings.map(({ check, state }) => [check, state]),
      [
        ['address and key', 'ok'],
        ['service', 'ok'],
        ['clock', 'ok'],
        ['key', 'ok'],
        ['queue default/initiateInvestigation', 'ok'],
      ],
    );
    assert.match(findings[3]?.detail ?? '', /scopes: .*admin/);
    const submitter = await diq(['doctor'], 'submitter');
    assert.match(submitter.out, /warning +key: scopes: submit or respond, without read/);
    const misled = await diq(['doctor', '--tenant', 'nowhere'], 'operator');
    assert.match(misled.out, /FAULT +tenant nowhere: not found\n/);
    assert.equal(misled.code, 1);
    assert.match((await diq(['doctor'], 'elsewhere')).out, /FAULT +key: it reaches no tenant/);
    const stranger = await runDiq(['doctor'], {
      env: { DIQ_URL: intake.url, DIQ_API_KEY: 'a-secret-without-owner' },
    });
    assert.match(stranger.out, /FAULT +key: not accepted/);
    assert.ok(!(stranger.out + stranger.complaints).includes('a-secret'));
  });
});

const error = { code: 'machine_not_found', message: 'Defender does not know it.' } as const;
const failed = { status: 'failed', error, attempts: 1 } as const;
