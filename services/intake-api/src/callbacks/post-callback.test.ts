import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { NameError, type ResolveName } from '@diq/runtime/dns/name-resolver.ts';
import { isMetadataAddress, isPublicAddress } from './allowed-addresses.ts';
import { createPostCallback, type PostCallbackOptions } from './post-callback.ts';
import { openReceiver, type Receiver } from './test-support/receiver.ts';

const never = new AbortController().signal;

function post(url: string, options: Partial<PostCallbackOptions> = {}, signal = never) {
  const attempt = createPostCallback({ isAllowedAddress: () => true, timeoutMs: 5_000, ...options });
  return attempt({ url: new URL(url), headers: { 'webhook-id': 'msg' }, body: '{}', signal });
}

/** A resolver that answers each question with the next of these lists, the last one for ever. */
function resolveTo(...answers: string[][]): { resolve: ResolveName; asked: () => number } {
  let asked = 0;
  const resolve: ResolveName = (_hostname) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  };
  return { resolve, asked: () => asked };
}

describe('an attempt to deliver a callback', () => {
  let receiver: Receiver | undefined;
  afterEach(async () => {
    await receiver?.close();
    receiver = undefined;
  });

  it('follows no redirect: the status is the outcome, and no other host is called', async () => {
    const elsewhere = await openReceiver();
    receiver = await openReceiver({
      answer: () => ({ status: 307, headers: { location: elsewhere.url() } }),
    });
    assert.deepEqual(await post(receiver.url()), { kind: 'answered', status: 307, retryAfterMs: undefined });
    assert.equal(elsewhere.arrivals.length, 0);
    await elsewhere.close();
  });

  it('tells how long the receiver wants to be left alone', async () => {
    receiver = await openReceiver({ answer: () => ({ status: 429, headers: { 'retry-after': '7' } }) });
    assert.deepEqual(await post(receiver.url()), { kind: 'answered', status: 429, retryAfterMs: 7_000 });
  });

  it('does not read an answer beyond 4 KiB', async () => {
    const size = 64 * 1024 * 1024;
    let written = 0;
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
        const chunk = Buffer.alloc(64 * 1024);
        const more = (): void => {
          if (socket.destroyed) return;
          written += chunk.length;
          socket.write(chunk, more);
        };
        more();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const outcome = await post(`http://127.0.0.1:${port}/`);
    assert.deepEqual(outcome, { kind: 'answered', status: 200, retryAfterMs: undefined });
    assert.ok(written < size, `${written} bytes were taken`);
    server.close();
    await once(server, 'close');
  });

  for (const [what, begin, more] of [
    ['a status line', 'HTTP/1.1 200 ', 'x'.repeat(16 * 1024)],
    ['interim answers', '', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'.repeat(400)],
    ['headers', 'HTTP/1.1 200 OK\r\n', `x: ${'y'.repeat(8_000)}\r\n`],
  ] as const) {
    it(`is cut when the receiver sends ${what} without end`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write(begin);
          const sendMore = (): void =>
            void (socket.destroyed || socket.write(more, () => setImmediate(sendMore)));
          sendMore();
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      // The attempt's own time does not end it: it would fail as `timeout`.
      const outcome = await post(`http://127.0.0.1:${port}/`, { timeoutMs: 15_000 });
      assert.deepEqual(outcome, { kind: 'no-answer', error: 'unreachable' });
      server.close();
      // Once the connection is gone.
      await once(server, 'close');
    });
  }

  it('asks for a body that needs no unpacking', async () => {
    receiver = await openReceiver();
    await post(receiver.url());
    assert.equal(receiver.arrivals[0]?.headers['accept-encoding'], 'identity');
  });

  it('takes an answer that comes in one piece with a long body', async () => {
    receiver = await openReceiver({ answer: () => ({ status: 202, body: Buffer.alloc(1024 * 1024) }) });
    assert.deepEqual(await post(receiver.url()), { kind: 'answered', status: 202, retryAfterMs: undefined });
  });

  it('ends by itself when no answer comes in time', async () => {
    receiver = await openReceiver({ answer: () => 'hold' });
    const outcome = await post(receiver.url(), { timeoutMs: 50 });
    assert.deepEqual(outcome, { kind: 'no-answer', error: 'timeout' });
  });

  it('is unreachable where no process listens and where the name does not resolve', async () => {
    const unreachable = { kind: 'no-answer', error: 'unreachable' };
    assert.deepEqual(await post('http://127.0.0.1:1/'), unreachable);
    const unknown: ResolveName = (name) => Promise.reject(new NameError(name, 'ENOTFOUND'));
    assert.deepEqual(await post('http://hook.example/', { resolve: unknown }), unreachable);
  });

  it('says nothing about the receiver when it is given up', async () => {
    receiver = await openReceiver({ answer: () => 'hold' });
    const stop = new AbortController();
    const outcome = post(receiver.url(), {}, stop.signal);
    await receiver.next();
    stop.abort();
    assert.deepEqual(await outcome, { kind: 'given-up' });
    assert.deepEqual(await post(receiver.url(), {}, stop.signal), { kind: 'given-up' });
    assert.equal(receiver.arrivals.length, 1);
  });

  it('has a connection of its own, which it closes', async () => {
    receiver = await openReceiver();
    await post(receiver.url());
    await post(receiver.url());
    for (const { headers } of receiver.arrivals) assert.equal(headers.connection, 'close');
  });
});

describe('the address that is called', () => {
  const refused = { kind: 'no-answer', error: 'address_not_allowed' };
  const guarded = { isAllowedAddress: isPublicAddress };
  let receiver: Receiver;
  before(async () => {
    receiver = await openReceiver();
  });
  after(() => receiver.close());
  afterEach(() => assert.equal(receiver.connections(), 0));

  for (const host of [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    'localhost',
  ]) {
    it(`is not this machine, written as ${host}`, async () => {
      assert.deepEqual(await post(`http://${host}:${receiver.port}/`, guarded), refused);
    });
  }

  it('is not a private one behind a public name', async () => {
    const { resolve } = resolveTo(['127.0.0.1']);
    const url = `http://hook.example:${receiver.port}/`;
    assert.deepEqual(await post(url, { ...guarded, resolve }), refused);
  });

  it('is not one of several of which another is private', async () => {
    const { resolve } = resolveTo(['127.0.0.1', '93.184.215.14']);
    const url = `http://hook.example:${receiver.port}/`;
    assert.deepEqual(await post(url, { ...guarded, resolve }), refused);
  });

  it('is the very one that was checked: the name is resolved once, so it cannot change in between', async () => {
    // First the answer that passes, then the one that is meant.
    const { resolve, asked } = resolveTo(['127.0.0.2'], ['127.0.0.1']);
    const isAllowedAddress = (address: string) => address === '127.0.0.2';
    const url = `http://hook.example:${receiver.port}/`;
    const outcome = await post(url, { isAllowedAddress, resolve });
    assert.deepEqual(outcome, { kind: 'no-answer', error: 'unreachable' });
    assert.equal(asked(), 1);
  });
});

describe('the address that is called where private ones may be', () => {
  const refused = { kind: 'no-answer', error: 'address_not_allowed' };
  const isAllowedAddress = (address: string) => !isMetadataAddress(address);

  for (const host of [
    '169.254.169.254',
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '[::ffff:169.254.169.254]',
    '[::a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:a83f:8110::]',
    '[fd00:ec2::254]',
    '168.63.129.16',
  ]) {
    it(`is no metadata service of a cloud, written as ${host}`, async () => {
      assert.deepEqual(await post(`http://${host}/`, { isAllowedAddress }), refused);
    });
  }

  it('is none behind a name either', async () => {
    for (const address of ['169.254.169.254', '168.63.129.16', 'fd00:ec2::254', '::ffff:a9fe:a9fe']) {
      const { resolve } = resolveTo([address]);
      assert.deepEqual(await post('http://hook.example/', { isAllowedAddress, resolve }), refused);
    }
  });

  it('is one of this machine all the same', async () => {
    const receiver = await openReceiver();
    assert.equal((await post(receiver.url(), { isAllowedAddress })).kind, 'answered');
    await receiver.close();
  });
});

describe('a callback over TLS', () => {
  const url = (receiver: Receiver) => `https://hook.example:${receiver.port}/hook`;
  const { resolve } = resolveTo(['127.0.0.1']);
  let receiver: Receiver;
  let cert: string;
  before(async () => {
    const altNames = [{ type: 2 as const, value: 'hook.example' }];
    const made = await generate([{ name: 'commonName', value: 'hook.example' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true },
        { name: 'subjectAltName', altNames },
      ],
    });
    cert = made.cert;
    receiver = await openReceiver({ tls: { key: made.private, cert } });
  });
  after(() => receiver.close());

  it('reaches a receiver with the name and authority that are trusted', async () => {
    const outcome = await post(url(receiver), { resolve, ca: cert });
    assert.deepEqual(outcome, { kind: 'answered', status: 204, retryAfterMs: undefined });
    assert.equal((await receiver.next()).headers.host, `hook.example:${receiver.port}`);
  });

  it('reaches no server with another name or authority', async () => {
    const unreachable = { kind: 'no-answer', error: 'unreachable' };
    assert.deepEqual(await post(url(receiver), { resolve }), unreachable);
    const otherName = `https://other.example:${receiver.port}/hook`;
    assert.deepEqual(await post(otherName, { resolve, ca: cert }), unreachable);
    assert.equal(receiver.arrivals.length, 1);
  });

  it('reaches no server that Node would trust only because its check is turned off', async () => {
    const given = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      assert.deepEqual(await post(url(receiver), { resolve }), { kind: 'no-answer', error: 'unreachable' });
    } finally {
      if (given === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = given;
    }
  });

  it('is not sent to a private address either', async () => {
    const outcome = await post(url(receiver), { resolve, ca: cert, isAllowedAddress: isPublicAddress });
    assert.deepEqual(outcome, { kind: 'no-answer', error: 'address_not_allowed' });
  });
});
