import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { createSignCallback } from './sign-callback.ts';

const secretOf = (text: string) => `whsec_${Buffer.from(text).toString('base64')}`;
const [older, newer] = [secretOf('the older key of 24 bytes'), secretOf('the newer key of 24 bytes')];

describe('the signature of a callback', () => {
  it('is the one of the specification’s own example', () => {
    const sign = createSignCallback(['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']);
    const headers = sign('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_000, '{"test": 2432232314}');
    assert.equal(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it('is one for each secret, so that either verifies it during a rotation, and no other', () => {
    const headers = { ...createSignCallback([older, newer])('id', Date.now(), '{"a":1}') };
    assert.equal(headers['webhook-signature'].split(' ').length, 2);
    for (const secret of [older, newer]) new Webhook(secret).verify('{"a":1}', headers);
    assert.throws(() => new Webhook(secretOf('another key of 24 bytes .')).verify('{"a":1}', headers));
    assert.throws(() => new Webhook(older).verify('{"a":2}', headers));
  });
});
