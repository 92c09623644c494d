import assert from 'node:assert/strict';
import { z } from 'zod';
import { readSettings, SettingsError, type Env } from '../settings/read-settings.ts';
import { proxyOf, proxySecrets, proxyShape } from './proxy-settings.ts';

const read = (env: Env) => proxyOf(readSettings(z.object(proxyShape(env)), env, { secrets: proxySecrets }));

function faultsOf(env: Env): readonly string[] {
  try {
    read(env);
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.faults;
  }
}

describe('HTTPS_PROXY', () => {
  it('is a host and a port, by which user and password are sent apart from the address', () => {
    const proxy = read({ HTTPS_PROXY: 'http://us%65r:p%40ss@proxy.example:3128' });
    assert.equal(proxy?.origin, 'http://proxy.example:3128');
    assert.equal(proxy?.authorization, `Basic ${Buffer.from('user:p@ss').toString('base64')}`);
    assert.equal(read({ HTTPS_PROXY: 'https://proxy.example/' })?.authorization, undefined);
    assert.equal(read({}), undefined);
  });

  it('stops the start where it cannot be used, in words that repeat nothing of it', () => {
    const unusable = {
      'proxy.example:3128': 'not a proxy',
      'socks5://hunter22hunter@proxy.example': 'not a proxy',
      'http://user:hunter22hunter@proxy.example/path': 'holds more than a host and a port',
      'http://:hunter22hunter@proxy.example': 'holds a password without a user',
      'http://us%3Aer:hunter22hunter@proxy.example': 'holds a user with a colon in it',
      'http://user:hunter22%zz@proxy.example': 'holds a %',
    };
    for (const [value, what] of Object.entries(unusable)) {
      const [fault = '', ...others] = faultsOf({ HTTPS_PROXY: value });
      assert.ok(fault.startsWith(`HTTPS_PROXY: ${what}`), fault);
      assert.doesNotMatch(fault, /hunter|proxy\.example/);
      assert.deepEqual(others, []);
    }
  });

  it('is not used for what a machine asks of itself', () => {
    const proxy = read({ HTTPS_PROXY: 'http://proxy.example:3128' });
    for (const host of ['localhost', '127.0.0.1', '[::1]'])
      assert.equal(proxy?.isUsedFor(host, 443), false, host);
    assert.equal(proxy?.isUsedFor('api.securitycenter.windows.com', 443), true);
  });
});

describe('NO_PROXY', () => {
  const isUsed = (NO_PROXY: string, host: string, port = 443) =>
    read({ HTTPS_PROXY: 'http://proxy.example:3128', NO_PROXY })?.isUsedFor(host, port);

  it('names hosts with all below them, addresses, networks and ports', () => {
    const list =
      'example.com, .svc.cluster.local *.corp.test,10.0.0.0/8,192.0.2.7,fd00::/8,[2001:db8::1]:8443,near.test:8443';
    for (const [host, port] of [
      ['example.com'],
      ['a.b.Example.com.'],
      ['intake.svc.cluster.local'],
      ['x.corp.test'],
      ['10.1.2.3'],
      ['192.0.2.7'],
      ['[fd12::1]'],
      ['2001:db8::1', 8443],
      ['near.test', 8443],
    ] as const)
      assert.equal(isUsed(list, host, port), false, host);
    for (const host of [
      'badexample.com',
      'example.com.evil.test',
      '11.1.2.3',
      '192.0.2.70',
      '2001:db8::1',
      'near.test',
      '10.0.0.0.example.org',
    ])
      assert.equal(isUsed(list, host), true, host);
    assert.equal(isUsed('*', 'anything.test'), false);
    assert.equal(isUsed('', 'anything.test'), true);
  });

  it('stops the start where an entry cannot be read, and is left alone where there is no proxy', () => {
    for (const [NO_PROXY, place] of [
      ['a.example,https://b.example', 2],
      ['10.0.0.0/33', 1],
      ['a b c/d', 3],
    ] as const) {
      const [fault = ''] = faultsOf({ HTTPS_PROXY: 'http://proxy.example', NO_PROXY });
      assert.ok(fault.startsWith(`NO_PROXY: entry ${place} cannot be read`), fault);
      assert.deepEqual(faultsOf({ NO_PROXY }), []);
    }
  });
});
