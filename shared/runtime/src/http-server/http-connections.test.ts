import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { listen, type HttpServer, type ListenOptions } from './http-server.ts';

const host = '127.0.0.1';
const neverMs = 600_000;
const any = Number.POSITIVE_INFINITY;

describe('connections of a server', () => {
  const sockets: Socket[] = [];
  const warnings: object[] = [];
  let server: HttpServer | undefined;

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    warnings.length = 0;
    await server?.close();
  });

  async function serve(app: RequestListener, options: Partial<ListenOptions> = {}): Promise<void> {
    const logger = { warn: (fields: object) => void warnings.push(fields) };
    const unbound = { maxUnreadBytes: any, maxUnreadBytesOfAddress: any };
    server = await listen(app, { port: 0, host, closeGraceMs: 0, logger, ...unbound, ...options });
  }

  /** A client that reads nothing until the test lets it. */
  async function open(text = '', localAddress = host): Promise<Socket> {
    const socket = connect({ port: server?.port ?? 0, host, localAddress }).pause();
    sockets.push(socket);
    // Reset by the server, where that is what the test is about.
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return socket;
  }

  const get = (path = '/', headers = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

  /** Reads what there is until the server has ended the connection. */
  async function readAll(socket: Socket): Promise<string> {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
    // Not `once` of node:events, which rejects at a reset.
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
    return Buffer.concat(chunks).toString('latin1');
  }

  /** Records what reaches the app, and which of that is over. */
  function recorder() {
    const arrived: { request: IncomingMessage; response: ServerResponse; closes: number }[] = [];
    const waiters: (() => void)[] = [];
    const notify = () => waiters.splice(0).forEach((resolve) => resolve());
    return {
      arrived,
      app(request: IncomingMessage, response: ServerResponse) {
        const entry = { request, response, closes: 0 };
        arrived.push(entry);
        response.on('close', () => {
          entry.closes += 1;
          notify();
        });
        notify();
      },
      async until(isSo: () => boolean): Promise<void> {
        while (!isSo()) await new Promise<void>((resolve) => waiters.push(resolve));
      },
    };
  }

  describe('with requests that are sent before the answer to the one before', () => {
    it('give them to the app one at a time and in order, and their answers back in order', async () => {
      let atOnce = 0;
      let most = 0;
      await serve((request, response) => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        response.once('close', () => (atOnce -= 1));
        setImmediate(() => response.end(`answer to ${request.url};`));
      });
      const text = ['/1', '/2', '/3', '/4'].map((path) => get(path)).join('');
      const answers = await readAll(await open(text + get('/5', 'Connection: close\r\n')));
      assert.deepEqual(answers.match(/(?<=answer to )[^;]+/g), ['/1', '/2', '/3', '/4', '/5']);
      assert.equal(most, 1);
    });

    it('hold 16 of them beside the one that is answered', async () => {
      const { app, arrived, until } = recorder();
      await serve(app);
      await open(get().repeat(17));
      for (let i = 0; i < 17; i += 1) {
        await until(() => arrived.length === i + 1);
        arrived[i]?.response.end();
      }
      assert.deepEqual(warnings, []);
    });

    for (const [what, headers, count] of [
      ['plain ones', '', 18],
      ['many plain ones', '', 1_000],
      ['such as wait for 100 (Continue)', 'Expect: 100-continue\r\n', 1_000],
      ['such as expect what is not known', 'Expect: the-unexpected\r\n', 1_000],
    ] as const) {
      it(`end at the 18th, and no further one reaches the app: ${what}`, async () => {
        const { app, arrived, until } = recorder();
        await serve(app);
        await readAll(await open(get('/', headers).repeat(count)));
        await until(() => arrived[0]?.closes === 1);
        // Too late to be sent: whatever the app still does with it, none of the others follows.
        arrived[0]?.response.end('x');
        await server?.close();
        assert.deepEqual(
          arrived.map(({ closes }) => closes),
          [1],
        );
        assert.deepEqual(warnings, [{ client: host, reason: 'too_many_pipelined_requests' }]);
      });
    }

    it('end each of those that reached the app once, when the client leaves without reading', async () => {
      const { app, arrived, until } = recorder();
      await serve((request, response) => {
        app(request, response);
        if (arrived.length < 5) response.end('x');
      });
      const socket = await open(get().repeat(10));
      await until(() => arrived.length === 5);
      socket.destroy();
      await until(() => arrived.every(({ closes }) => closes > 0));
      await server?.close();
      assert.deepEqual(
        arrived.map(({ closes }) => closes),
        [1, 1, 1, 1, 1],
      );
    });

    it('take none behind an answer that ends the connection', async () => {
      const { app, arrived } = recorder();
      await serve((request, response) => {
        app(request, response);
        response.end('x');
      });
      const answers = await readAll(await open(get('/', 'Connection: close\r\n') + get().repeat(3)));
      assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 1);
      assert.equal(arrived.length, 1);
    });

    it('take none that is read after an answer which ended the connection', async () => {
      const { app, arrived } = recorder();
      await serve((request, response) => {
        app(request, response);
        response.setHeader('Connection', 'close').end('x');
      });
      // Node reads 64 KiB at a time: the answer is out, and the connection ended, when it reads those behind the body.
      const body = 'b'.repeat(65_536);
      const post = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const socket = await open(post + get().repeat(3));
      await readAll(socket);
      await server?.close();
      assert.equal(arrived.length, 1);
    });

    it('answer the one under way when the server closes, and ask the client to send the others elsewhere', async () => {
      const { app, arrived, until } = recorder();
      await serve(app, { closeGraceMs: neverMs });
      const answers = readAll(await open(get().repeat(3)));
      await until(() => arrived.length === 1);
      const closed = server?.close();
      arrived[0]?.response.end('x');
      await closed;
      assert.match(await answers, /^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/);
      assert.equal(arrived.length, 1);
    });

    it('are sent elsewhere, as the answer says behind one that had begun when the server closed', async () => {
      const { app, arrived, until } = recorder();
      await serve(
        (request, response) => {
          app(request, response);
          if (request.url === '/begun') response.write('first');
          else response.end('second');
        },
        { closeGraceMs: neverMs },
      );
      const answers = readAll(await open(get('/begun') + get().repeat(2)));
      await until(() => arrived.length === 1);
      const closed = server?.close();
      arrived[0]?.response.end();
      await closed;
      const heads = (await answers).match(/HTTP[^]+?(?=\r\n\r\n)/g) ?? [];
      assert.deepEqual(
        heads.map((head) => /^connection: (.*)$/im.exec(head)?.[1]),
        ['keep-alive', 'close'],
      );
      assert.equal(arrived.length, 2);
    });
  });

  it('end behind an answer that had begun when the server closed', async () => {
    const { app, arrived, until } = recorder();
    await serve(app, { closeGraceMs: neverMs });
    const answer = readAll(await open(get()));
    await until(() => arrived.length === 1);
    arrived[0]?.response.write('x');
    const closed = server?.close();
    arrived[0]?.response.end();
    await closed;
    assert.match(await answer, /Connection: keep-alive/);
  });

  it('go on as they are when another protocol is asked for', async () => {
    await serve((_request, response) => response.end('plain'));
    const headers = 'Connection: Upgrade, close\r\nUpgrade: h2c\r\n';
    assert.match(await readAll(await open(get('/', headers))), /^HTTP\/1\.1 200 OK[^]*plain$/);
  });

  it('end at once when they ask for a tunnel', async () => {
    await serve((_request, response) => response.end());
    await readAll(await open('CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n'));
  });

  describe('with a client that does not read', () => {
    // Far more than the buffers of both sockets hold.
    const large = Buffer.alloc(64 * 1_024 * 1_024);

    it('end when nothing of the answer was taken for the time it has', async () => {
      const { app, arrived, until } = recorder();
      await serve(
        (request, response) => {
          app(request, response);
          response.end(large);
        },
        { unreadTimeoutMs: 50 },
      );
      await open(get().repeat(3));
      await until(() => arrived[0]?.closes === 1);
      assert.equal(arrived.length, 1);
      assert.deepEqual(warnings, [{ client: host, reason: 'answer_not_read' }]);
    });

    it('go on as long as it reads at all, however long that takes', async () => {
      await serve((_request, response) => response.end(large), { unreadTimeoutMs: 1_000 });
      const socket = await open(get('/', 'Connection: close\r\n'));
      const beganMs = performance.now();
      let read = 0;
      socket.on('data', (chunk: Buffer) => (read += chunk.length));
      while (performance.now() - beganMs < 2_500) {
        const before = read;
        socket.resume();
        while (read < before + 1_000_000 && read < large.length) await once(socket, 'data');
        socket.pause();
        // Real time is what is tested here: that of a client which takes longer over the answer than it may be silent.
        await delay(100);
      }
      socket.resume();
      await once(socket, 'close');
      assert.ok(read > large.length, `${read} bytes`);
    });
  });

  describe('with answers that are not read', () => {
    const size = 64 * 1_024 * 1_024;
    const large = Buffer.alloc(size);

    /** Serves them, and returns one connection after the other with one that is made and not read. */
    async function serveLarge(options: Partial<ListenOptions>): Promise<typeof open> {
      const { app, arrived, until } = recorder();
      await serve((request, response) => {
        response.end(large);
        app(request, response);
      }, options);
      return async (text, address) => {
        const count = arrived.length + 1;
        const socket = await open(text, address);
        await until(() => arrived.length === count);
        return socket;
      };
    }
    async function read(socket: Socket, bytes: number): Promise<void> {
      let count = 0;
      socket.on('data', (chunk: Buffer) => (count += chunk.length)).resume();
      while (count < bytes) await once(socket, 'data');
      socket.removeAllListeners('data').pause();
    }
    const ended = (client: string) => ({ client, reason: 'too_many_unread_bytes' });

    it('end beyond a limit: that which was unread longest, and none that reads', async () => {
      for (const limit of ['maxUnreadBytes', 'maxUnreadBytesOfAddress']) {
        await server?.close();
        warnings.length = 0;
        const openUnread = await serveLarge({ [limit]: 2.5 * size });
        const slow = await openUnread(get('/', 'Connection: close\r\n'));
        const unread = await openUnread(get());
        // More than the system may have kept for it when the second answer was made.
        await read(slow, size / 2);
        const last = await openUnread(get());
        await readAll(unread);
        assert.deepEqual(warnings, [ended(host)]);
        await readAll(slow);
        await read(last, size);
        assert.deepEqual(warnings, [ended(host)]);
      }
    });

    it('end beyond a limit at the address that left most unread', async () => {
      const openUnread = await serveLarge({ maxUnreadBytes: 2.5 * size });
      const first = await openUnread(get('/', 'Connection: close\r\n'));
      const unread = await openUnread(get(), '127.0.0.2');
      const last = await openUnread(get(), '127.0.0.2');
      await readAll(unread);
      assert.deepEqual(warnings, [ended('127.0.0.2')]);
      await readAll(first);
      await read(last, size);
      assert.deepEqual(warnings, [ended('127.0.0.2')]);
    });

    it('end beyond a limit before the answer is at its end', async () => {
      const { app, arrived, until } = recorder();
      await serve(
        (request, response) => {
          app(request, response);
          response.write(large);
        },
        { maxUnreadBytes: size / 2 },
      );
      await open(get());
      await until(() => arrived[0]?.closes === 1);
      assert.deepEqual(warnings, [ended(host)]);
    });

    it('are counted until they are read', async () => {
      const openUnread = await serveLarge({ maxUnreadBytes: 1.5 * size });
      for (let times = 0; times < 3; times += 1) await read(await openUnread(get()), size);
      assert.deepEqual(warnings, []);
    });
  });

  it('outlast the time for unread answers while the app is at work', async () => {
    await serve(
      (request, response) => {
        request.socket.once('timeout', () => response.end('late'));
      },
      { unreadTimeoutMs: 20 },
    );
    assert.match(await readAll(await open(get('/', 'Connection: close\r\n'))), /late$/);
  });

  it('are ended when they were idle for the keep-alive timeout', async () => {
    await serve((_request, response) => response.end('x'), { keepAliveTimeoutMs: 20 });
    assert.match(await readAll(await open(get())), /x$/);
    assert.deepEqual(warnings, []);
  });

  describe('as many as there may be', () => {
    async function answered(socket: Socket): Promise<void> {
      socket.write(get('/quick'));
      socket.resume();
      await once(socket, 'data');
      socket.pause();
    }

    it('give way to a new one: that which was idle longest first', async () => {
      await serve((_request, response) => response.end('x'), { maxConnections: 3 });
      const [first, second, third] = [await open(), await open(), await open()];
      for (const socket of [second, third, first]) await answered(socket);
      const fourth = await open();
      await readAll(second);
      for (const socket of [fourth, first]) await answered(socket);
      await answered(await open());
      await readAll(third);
      assert.deepEqual(warnings, [{ maxConnections: 3 }]);
    });

    it('give way with an answer that is not read, and not with one that the app is at', async () => {
      const { app, arrived, until } = recorder();
      await serve(
        (request, response) => {
          app(request, response);
          if (request.url === '/unread') response.end(Buffer.alloc(64 * 1_024 * 1_024));
          if (request.url === '/quick') response.end('x');
        },
        { maxConnections: 2 },
      );
      await open(get('/slow'));
      await until(() => arrived.length === 1);
      const unread = await open(get('/unread'));
      await until(() => arrived.length === 2);
      await answered(await open());
      await readAll(unread);
      await open(get('/slow'));
      await until(() => arrived.filter(({ request }) => request.url === '/slow').length === 2);
      // Both places are taken by requests that the app is at.
      await readAll(await open(get('/slow')));
      assert.equal(arrived.filter(({ request }) => request.url === '/slow').length, 2);
    });
  });
});
