import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDnsServer, type DnsAnswer, type DnsServer } from '@diq/testing/dns-server.ts';
import { createNameResolver, lookupBy, type NameResolverOptions } from './name-resolver.ts';

describe('a name', () => {
  let folder: string;
  let dns: DnsServer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-names-'));
  });
  afterEach(() => dns.close());
  after(() => rm(folder, { recursive: true }));

  async function resolverFor(
    names: Record<string, DnsAnswer>,
    { hosts = '', conf = '', ...options }: NameResolverOptions & { hosts?: string; conf?: string } = {},
  ) {
    dns = await openDnsServer(names);
    const [hostsFile, resolvConf] = [join(folder, 'hosts'), join(folder, 'resolv.conf')];
    await Promise.all([writeFile(hostsFile, hosts), writeFile(resolvConf, conf)]);
    return createNameResolver({ servers: [dns.address], hostsFile, resolvConf, ...options });
  }

  it('leads to all its addresses in DNS', async () => {
    const resolve = await resolverFor({ 'soar.example': ['192.0.2.7', '192.0.2.8'] });
    assert.deepEqual(await resolve('soar.example'), [
      { address: '192.0.2.7', family: 4 },
      { address: '192.0.2.8', family: 4 },
    ]);
    assert.deepEqual(dns.questions.toSorted(), ['soar.example A', 'soar.example AAAA']);
  });

  it('that stands in the hosts file leads where that says, and DNS is not asked', async () => {
    const hosts =
      '# 192.0.2.1 soar.example\n2001:db8::7\tother SOAR.example # ours\n 192.0.2.9 soar.example\r\n';
    const resolve = await resolverFor({ 'soar.example': ['192.0.2.7'] }, { hosts });
    assert.deepEqual(await resolve('soar.example'), [
      { address: '192.0.2.9', family: 4 },
      { address: '2001:db8::7', family: 6 },
    ]);
    assert.deepEqual(dns.questions, []);
  });

  it('of the machine itself is the loopback, whatever DNS says', async () => {
    const resolve = await resolverFor({ localhost: ['192.0.2.7'] });
    for (const name of ['localhost', 'localhost.', 'hook.localhost']) {
      assert.deepEqual(
        (await resolve(name)).map(({ address }) => address),
        ['127.0.0.1', '::1'],
      );
    }
    assert.deepEqual(dns.questions, []);
  });

  it('with fewer dots than ndots is looked for below the search domains first', async () => {
    const conf = 'search soar.svc.cluster.local svc.cluster.local\noptions edns0 ndots:5\n';
    const names = { 'hook.soar.svc.cluster.local': ['192.0.2.7'], 'hook.soar': ['203.0.113.1'] };
    const resolve = await resolverFor(names, { conf });
    assert.equal((await resolve('hook.soar'))[0]?.address, '192.0.2.7');
    assert.equal((await resolve('hook.soar.'))[0]?.address, '203.0.113.1');
    assert.ok(dns.questions.includes('hook.soar.soar.svc.cluster.local A'));
  });

  it('of which one search domain knows nothing for certain is looked for below the next', async () => {
    const conf = 'domain elsewhere.example\nsearch broken.example corp.example';
    const names = { 'hook.broken.example': 'servfail', 'hook.corp.example': ['192.0.2.7'] } as const;
    const resolve = await resolverFor(names, { conf });
    assert.equal((await resolve('hook'))[0]?.address, '192.0.2.7');
  });

  it('that does not exist is not found, and one of which no server knows may be asked for again', async () => {
    const resolve = await resolverFor({ 'broken.example': 'servfail', 'empty.example': [] });
    await assert.rejects(resolve('none.example'), { name: 'NameError', code: 'ENOTFOUND' });
    await assert.rejects(resolve('empty.example'), { name: 'NameError', code: 'ENOTFOUND' });
    await assert.rejects(resolve('broken.example'), { name: 'NameError', code: 'EAI_AGAIN' });
  });

  it('of which DNS says nothing is given up in time, with no further search domain, and then asked for anew', async () => {
    const resolve = await resolverFor(
      { 'quiet.example': 'silent' },
      { conf: 'search a.example b.example\n', timeoutMs: 50 },
    );
    await assert.rejects(resolve('quiet.example'), { code: 'EAI_AGAIN' });
    const asked = dns.questions.length;
    await assert.rejects(resolve('quiet.example'), { code: 'EAI_AGAIN' });
    assert.equal(dns.questions.length, 2 * asked);
    assert.deepEqual(new Set(dns.questions), new Set(['quiet.example A', 'quiet.example AAAA']));
  });

  it('is looked up once for all who ask for it meanwhile, outside the pool that other lookups need', async () => {
    const resolve = await resolverFor(
      { 'quiet.example': 'silent', 'well.example': ['192.0.2.7'] },
      { timeoutMs: 500 },
    );
    const quiet = Promise.allSettled(Array.from({ length: 50 }, () => resolve('quiet.example')));
    assert.equal((await resolve('well.example'))[0]?.address, '192.0.2.7');
    assert.deepEqual(
      process.getActiveResourcesInfo().filter((one) => one.startsWith('GetAddrInfo')),
      [],
    );
    assert.equal(dns.questions.filter((one) => one === 'quiet.example A').length, 1);
    const outcomes = await quiet;
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
  });

  it('is resolved in either way in which a socket asks', async () => {
    const lookup = lookupBy(await resolverFor({ 'soar.example': ['192.0.2.7', '192.0.2.8'] }));
    const lookUp = (options: { all?: boolean }) =>
      new Promise((resolve) => lookup('soar.example', options, (...said) => resolve(said)));
    assert.deepEqual(await lookUp({}), [null, '192.0.2.7', 4]);
    assert.equal(((await lookUp({ all: true })) as [null, unknown[]])[1].length, 2);
  });
});
