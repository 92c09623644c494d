import assert from 'node:assert/strict';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { request } from 'undici';
import { readAnswer, type Answer } from './read-answer.ts';
import { openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';

const document = { value: 5146, name: 'Gerät 🚨' };
const plain = Buffer.from(JSON.stringify(document));
const bom = Buffer.from([0xef, 0xbb, 0xbf]);

describe('the reader of answers', () => {
  let answer: (socket: Socket) => void;
  let server: ScriptedServer;
  before(async () => {
    server = await openScriptedServer((socket) => answer(socket));
  });
  after(() => server.close());

  async function read(
    body: Buffer,
    coding = '',
    options: { secret?: string; maxBytes?: number } = {},
  ): Promise<Answer> {
    const packed = coding === '' ? '' : `content-encoding: ${coding}\r\n`;
    answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${packed}content-length: ${body.length}\r\nconnection: close\r\n\r\n`);
      socket.end(body);
    };
    return readAnswer(await request(server.url), options);
  }

  for (const [coding, body] of [
    ['', plain],
    ['identity', plain],
    ['gzip', gzipSync(plain)],
    ['GZip', gzipSync(plain)],
    ['x-gzip', gzipSync(plain)],
    ['deflate', deflateSync(plain)],
    ['deflate', deflateRawSync(plain)],
    ['br', brotliCompressSync(plain)],
    ['gzip, br', brotliCompressSync(gzipSync(plain))],
    ['identity, gzip', gzipSync(plain)],
    // A proxy that unpacked it and left the header.
    ['gzip', plain],
  ] as const) {
    it(`undoes the coding "${coding}" (${body.length} bytes), with and without a mark of byte order`, async () => {
      assert.deepEqual((await read(body, coding)).body, document);
    });
  }

  it('passes over marks of byte order, packed too', async () => {
    assert.deepEqual((await read(Buffer.concat([bom, plain]))).body, document);
    assert.deepEqual((await read(Buffer.concat([bom, bom, plain]))).body, document);
    assert.deepEqual((await read(gzipSync(Buffer.concat([bom, plain])), 'gzip')).body, document);
  });

  it('says why there is no body, and keeps the status', async () => {
    const bomb = Buffer.alloc(1024 * 1024, ' ');
    for (const [body, coding, bodyFault] of [
      [plain, 'zstd', 'unknown_coding'],
      [plain, 'toString', 'unknown_coding'],
      [plain, 'identity,identity,identity,identity,identity', 'unknown_coding'],
      [gzipSync(plain).subarray(0, -9), 'gzip', 'cut_off'],
      [plain, 'br', 'cut_off'],
      [gzipSync(bomb), 'gzip', 'too_long'],
      [brotliCompressSync(bomb), 'br', 'too_long'],
      [deflateSync(bomb), 'deflate', 'too_long'],
      [Buffer.from('<html>'), '', 'not_json'],
      [Buffer.alloc(0), '', 'not_json'],
    ] as const) {
      const { status, body: read_, bodyFault: fault } = await read(body, coding);
      assert.deepEqual([status, read_, fault], [200, undefined, bodyFault], coding);
    }
  });

  it('marks what is no UTF-8, and reads what stands beside it', async () => {
    const latin = Buffer.from('{"id":"caf\xe9","value":5146}', 'latin1');
    assert.deepEqual((await read(latin)).body, { id: 'caf\uFFFD', value: 5146 });
  });

  it('blots out the secret, in headers and body, packed or not', async () => {
    const echo = Buffer.from('{"message":"Bearer s3cret"}');
    for (const [body, coding] of [
      [echo, ''],
      [gzipSync(echo), 'gzip'],
    ] as const) {
      assert.deepEqual((await read(body, coding, { secret: 's3cret' })).body, {
        message: 'Bearer [redacted]',
      });
    }
  });
});
