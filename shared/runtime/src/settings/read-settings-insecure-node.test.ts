import assert from 'node:assert/strict';
import { z } from 'zod';
import { insecureNodeFaults, unusedProxySettings, readSettings } from './read-settings.ts';

describe('the options of Node itself', () => {
  it('may not turn off the check of certificates', () => {
    for (const value of ['0', ' 0\n']) {
      const [fault = '', ...others] = insecureNodeFaults({ NODE_TLS_REJECT_UNAUTHORIZED: value }, []);
      assert.match(fault, /^NODE_TLS_REJECT_UNAUTHORIZED: .*\(expected unset; .*NODE_EXTRA_CA_CERTS\)$/);
      assert.deepEqual(others, []);
    }
  });

  it('may not weaken connections by a switch, in NODE_OPTIONS or on the command line', () => {
    for (const NODE_OPTIONS of [
      '--tls-keylog=/tmp/keys',
      '--trace-warnings --tls-keylog /tmp/keys',
      '"--tls-keylog=x y"',
    ])
      assert.match(insecureNodeFaults({ NODE_OPTIONS }, []).join(), /^NODE_OPTIONS: --tls-keylog /);
    assert.match(insecureNodeFaults({}, ['--insecure-http-parser']).join(), /^node --insecure-http-parser: /);
  });

  it('is otherwise left alone', () => {
    const env = {
      NODE_TLS_REJECT_UNAUTHORIZED: '1',
      NODE_OPTIONS: '--max-old-space-size=200 --tls-keylogger',
    };
    assert.deepEqual(insecureNodeFaults(env, ['--import', 'x']), []);
    assert.deepEqual(insecureNodeFaults({ NODE_TLS_REJECT_UNAUTHORIZED: '' }, []), []);
  });

  it('are reported with the faults of all other settings', () => {
    assert.throws(
      () => readSettings(z.object({ PORT: z.string() }), { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
      /^SettingsError: NODE_TLS_REJECT_UNAUTHORIZED: .*\nPORT: not set/,
    );
  });

  it('may name a proxy in the ways of other programs, which are not used', () => {
    const env = { https_proxy: 'http://proxy', ALL_PROXY: '', HTTPS_PROXY: 'http://proxy', NO_PROXY: 'x' };
    assert.deepEqual(unusedProxySettings(env), ['https_proxy']);
    assert.deepEqual(unusedProxySettings({ ...env, no_proxy: 'x' }), ['https_proxy']);
    const unread = { HTTPS_PROXY_FILE: '/proxy', NO_PROXY: '', no_proxy: 'x' };
    assert.deepEqual(unusedProxySettings(unread), ['no_proxy']);
    assert.deepEqual(unusedProxySettings({ no_proxy: 'x' }), []);
  });
});
