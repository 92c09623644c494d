import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { allowedHosts } from '../config/allowed-hosts.ts';
import { createSignCallback, secretOfReceiver, signMessage } from './sign-callback.ts';

const secretOf = (text: string) => `whsec_${Buffer.from(text).toString('base64')}`;
const [older, newer] = [secretOf('the older key of 24 bytes'), secretOf('the newer key of 24 bytes')];
const hosts = allowedHosts().parse(
  'soar.example, soar.example/team/, soar.example:8443, hooks.example/services/T1/, hooks.example/services/T2/, *.corp.example',
);
/** Signed anew for each test: receivers refuse what is older than some minutes. */
let message: { id: string; atMs: number; body: string };
const [one, ...others] = [
  'https://soar.example/hook',
  'https://soar.example/team/x',
  'https://soar.example:8443/hook',
  'https://hooks.example/services/T1/x',
  'https://hooks.example/services/T2/x',
  'https://a.corp.example/',
  'https://b.corp.example/',
].map((url) => new URL(url));

describe('the signature of a callback', () => {
  beforeEach(() => {
    message = { id: 'id', atMs: Date.now(), body: '{"a":1}' };
  });

  it('is the one of the specification’s own example', () => {
    const headers = signMessage(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      atMs: 1_614_265_330_000,
      body: '{"test": 2432232314}',
    });
    assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('is one for each secret, so that either verifies it during a rotation, and no other', () => {
    const sign = createSignCallback({ secrets: [older, newer], allowedHosts: hosts });
    const headers = { ...sign(one!, message) };
    assert.equal(headers['webhook-signature'].split(' ').length, 2);
    for (const secret of [older, newer]) {
      const own = new Webhook(secretOfReceiver(secret, 'soar.example'));
      own.verify(message.body, headers);
      assert.throws(() => own.verify('{"a":2}', headers));
      // What is set signs nothing itself.
      assert.throws(() => new Webhook(secret).verify(message.body, headers));
    }
    const another = secretOf('another key of 24 bytes .');
    assert.throws(() => new Webhook(secretOfReceiver(another, 'soar.example')).verify(message.body, headers));
  });

  it('of one receiver is none for another: host, port and the longest path that is listed tell them apart', () => {
    const sign = createSignCallback({ secrets: [older], allowedHosts: hosts });
    const verifier = new Webhook(secretOfReceiver(older, 'soar.example'));
    verifier.verify(message.body, { ...sign(one!, message) });
    const all = [one!, ...others].map((url) => sign(url, message)['webhook-signature']);
    assert.equal(new Set(all).size, all.length);
    for (const url of others) {
      assert.throws(() => verifier.verify(message.body, { ...sign(url, message) }), url.href);
    }
  });

  it('of one receiver is the same whatever the path and query below what is listed', () => {
    const sign = createSignCallback({ secrets: [older], allowedHosts: hosts });
    for (const path of ['/', '/hook?x=1', '/other']) {
      assert.deepEqual(sign(new URL(path, one), message), sign(one!, message));
    }
  });

  it('is made for no URL that is not allowed', () => {
    const sign = createSignCallback({ secrets: [older], allowedHosts: hosts });
    assert.throws(() => sign(new URL('https://hooks.example/services/T3/'), message), /not allowed/);
  });
});
