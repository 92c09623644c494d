import assert from 'node:assert/strict';
import { deflateSync, gzipSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';
import { createDefenderClient, type CallOutcome, type StartCall } from './defender-client.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';

const machineId = 'fb9ab6be3965095a09c057be7c90f0a2';
const token = 'header.payload-that-is-secret.signature';
const started = '{"@odata.context":"https://x/api/$metadata#Edm.Int64","value":5146}';

describe('a call that Defender answers', () => {
  /** The one called last. A test may call several times, each a server of its own. */
  let server: ScriptedServer | undefined;
  const opened: ScriptedServer[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  async function call(answer: string | Buffer | ((socket: Socket) => void), more: Partial<StartCall> = {}) {
    const script = typeof answer === 'function' ? answer : (socket: Socket) => void socket.end(answer);
    server = await openScriptedServer(script);
    opened.push(server);
    const client = createDefenderClient({
      baseUrl: server.url,
      callTimeoutMs: 5_000,
      profile: initiateInvestigation,
    });
    const outcome = await client.start({
      machineId,
      comment: 'Überprüfen "now"',
      parameters: {},
      token,
      ...more,
    });
    assert.ok(outcome.durationMs > 0);
    const { durationMs: _, ...rest } = outcome;
    return rest as Omit<CallOutcome, 'durationMs'> & Record<string, unknown>;
  }

  it('is made as the operation describes it, and gives the new investigation id as a string', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    assert.deepEqual(await call(httpAnswer(200, started), { traceparent }), {
      kind: 'started',
      result: { kind: 'investigation', id: '5146' },
      status: 200,
    });
    const [head = '', body = ''] = (server?.conversations[0]?.received ?? '').split('\r\n\r\n');
    assert.match(
      head,
      /^POST \/api\/machines\/fb9ab6be3965095a09c057be7c90f0a2\/InitiateInvestigation HTTP\/1.1\r\n/,
    );
    assert.match(head, new RegExp(`^authorization: Bearer ${token}\\r$`, 'm'));
    assert.match(head, /^content-type: application\/json\r$/m);
    assert.match(head, new RegExp(`^traceparent: ${traceparent}\\r$`, 'm'));
    assert.match(head, /^connection: close\r$/m);
    assert.deepEqual(JSON.parse(Buffer.from(body, 'latin1').toString('utf8')), {
      Comment: 'Überprüfen "now"',
    });
  });

  it('leaves out a malformed trace context instead of failing the call', async () => {
    const outcome = await call(httpAnswer(200, started), { traceparent: 'x\r\ninjected: 1' });
    assert.equal(outcome.kind, 'started');
    assert.doesNotMatch(server?.conversations[0]?.received ?? '', /injected|traceparent/);
  });

  it('carries the state of its trace, but nothing that is no plain text', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    for (const [tracestate, arrives] of [
      ['congo=1,rojo=2', true],
      ['congo=1\r\ninjected: 1', false],
      ['x'.repeat(513), false],
    ] as const) {
      const outcome = await call(httpAnswer(200, started), { traceparent, tracestate });
      assert.equal(outcome.kind, 'started');
      const received = server?.conversations.at(-1)?.received ?? '';
      assert.match(received, /^traceparent: /m);
      assert.equal(received.includes(`\r\ntracestate: ${tracestate}\r\n`), arrives);
      assert.doesNotMatch(received, /injected/);
    }
  });

  for (const [encoding, packed] of [
    ['gzip', gzipSync(started)],
    ['deflate', deflateSync(started)],
  ] as const) {
    it(`is read although the server packs it unasked (${encoding})`, async () => {
      const outcome = await call((socket) => {
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${packed.length}\r\n\r\n`,
        );
        socket.end(packed);
      });
      assert.deepEqual(outcome['result'], { kind: 'investigation', id: '5146' });
    });
  }

  it('is read behind a mark of byte order, a success and a refusal', async () => {
    const success = await call(httpAnswer(200, '\uFEFF{"value":5146}'));
    assert.deepEqual(
      [success['kind'], success['result']],
      ['started', { kind: 'investigation', id: '5146' }],
    );
    const refusal =
      '\uFEFF{"error":{"code":"ActiveRequestAlreadyExists","message":"Action is already in progress"}}';
    assert.equal((await call(httpAnswer(400, refusal)))['kind'], 'already_running');
  });

  it('names no investigation by an id in which a byte was lost', async () => {
    const body = Buffer.from('{"value":"51\xff46"}', 'latin1');
    const outcome = await call((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
    assert.deepEqual([outcome['kind'], outcome['result']], ['unknown', undefined]);
  });

  it('carries the error code, message and support id of a refusal', async () => {
    const body =
      '{"error":{"code":"InvalidRequestBody","message":"Request body is incorrect","target":"1fa66c0f"}}';
    assert.deepEqual(await call(httpAnswer(400, body)), {
      kind: 'refused',
      status: 400,
      errorCode: 'InvalidRequestBody',
      errorMessage: 'Request body is incorrect',
      defenderTarget: '1fa66c0f',
    });
  });

  it('gives the wait that a throttling answer asks for', async () => {
    const body = '{"error":{"code":"429","message":"API calls quota exceeded!","target":"t"}}';
    const outcome = await call(httpAnswer(429, body, { 'retry-after': '1200' }));
    assert.equal(outcome.kind, 'throttled');
    assert.equal(outcome['retryAfterMs'], 1_200_000);
  });

  it('reports a success that is cut off as perhaps started, with its correlation id', async () => {
    const cut = `HTTP/1.1 200 OK\r\nmise-correlation-id: m-1\r\ncontent-length: 90\r\n\r\n{"@odata.context":"h`;
    assert.deepEqual(await call(cut), {
      kind: 'unknown',
      reason: 'unreadable_answer',
      status: 200,
      defenderTarget: 'm-1',
    });
  });

  it('reports a success that is no JSON as perhaps started', async () => {
    const outcome = await call(httpAnswer(200, '<html>ok</html>', { 'content-type': 'text/html' }));
    assert.deepEqual([outcome.kind, outcome['isForeign']], ['unknown', true]);
  });

  it('takes in no more than 64 KiB, stated or not, packed or not', async () => {
    const huge = `{"value":5146,"x":"${'a'.repeat(70_000)}"}`;
    assert.equal((await call(httpAnswer(200, huge))).kind, 'unknown');
    await server?.close();
    const chunked = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${huge.length.toString(16)}\r\n${huge}\r\n0\r\n\r\n`;
    assert.equal((await call(chunked)).kind, 'unknown');
    await server?.close();
    const bomb = gzipSync(huge);
    assert.ok(bomb.length < 1_000);
    const outcome = await call((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`);
      socket.end(bomb);
    });
    assert.equal(outcome.kind, 'unknown');
  });

  it('does not follow a redirect', async () => {
    const outcome = await call((socket) => socket.end(httpAnswer(307, '', { location: server?.url ?? '' })));
    assert.deepEqual(outcome, { kind: 'endpoint_unusable', status: 307 });
    assert.equal(server?.conversations.length, 1);
  });

  it('never carries the token, even when the server repeats it', async () => {
    const echo = JSON.stringify({ error: { code: token, message: `Bearer ${token}`, target: token } });
    const outcome = await call(httpAnswer(403, echo, { 'mise-correlation-id': token }));
    assert.equal(outcome.kind, 'not_allowed');
    assert.doesNotMatch(JSON.stringify(outcome), /payload-that-is-secret/);
    assert.equal(outcome['errorMessage'], 'Bearer [redacted]');
  });
});
