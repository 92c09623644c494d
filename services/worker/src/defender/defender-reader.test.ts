import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { deflateSync } from 'node:zlib';
import type { Socket } from 'node:net';
import { createDefenderReader, type DefenderReader } from './defender-reader.ts';
import { httpAnswer, openScriptedServer, type ScriptedServer } from './test-support/scripted-server.ts';
import { createReadBudget } from '@diq/quota/reads/read-budget.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';

const token = 'secret-token-1';
const machineId = 'f70f9fe6b29cd9511652434919c6530618f06606';
const sinceMs = Date.parse('2020-03-17T10:00:00.700Z');

/** As recorded, newest first. */
const recorded = {
  '@odata.context': 'https://api.securitycenter.windows.com/api/$metadata#Investigations',
  value: [
    {
      id: '9',
      startTime: '2020-03-17T10:43:15Z',
      endTime: null,
      state: 'PendingApproval',
      cancelledBy: null,
      statusDetails: null,
      machineId,
      computerDnsName: 'desktop-s2455r9',
      triggeringAlertId: 'da637200385941308230_1832866941',
    },
    {
      id: '8',
      startTime: '2020-03-04T16:37:50Z',
      endTime: '2020-03-11T18:13:42Z',
      state: 'TerminatedBySystem',
    },
  ],
};
const manualStart = {
  id: 'ar638180599315648136_73827727',
  investigationId: 6,
  title: 'Automated investigation started manually',
  detectionSource: 'AutomatedInvestigation',
  alertCreationTime: '2023-04-25T22:52:11.5648315Z',
  description: 'SE POV User(<upn>) initiated an Automated investigation on se-pov-desktop.',
  machineId,
  evidence: [],
};

describe('the reader of what Defender knows', () => {
  const redis = useEmbeddedRedis();
  let answer: (socket: Socket, request: string) => void;
  let server: ScriptedServer;
  let reader: DefenderReader;

  beforeEach(async () => {
    answer = (socket) => void socket.end(httpAnswer(200, JSON.stringify(recorded)));
    server = await openScriptedServer((socket, request) => answer(socket, request));
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 2_000 });
  });
  afterEach(async () => {
    await reader.close();
    await server.close();
  });

  const body = (content: unknown, status = 200, headers = {}) => {
    answer = (socket) => void socket.end(httpAnswer(status, JSON.stringify(content), headers));
  };
  const list = () => reader.listInvestigations(token, { startedSinceMs: sinceMs, machineId });
  const find = () => reader.findInvestigation(token, '9');
  const alerts = (createdSinceMs = 0) => reader.listAlerts(token, { machineId, createdSinceMs });

  it('reads investigations as recorded, those that were asked for', async () => {
    assert.deepEqual(await list(), {
      kind: 'read',
      value: {
        records: [
          {
            id: '9',
            startTimeMs: Date.parse('2020-03-17T10:43:15Z'),
            endTimeMs: undefined,
            state: 'PendingApproval',
            machineId,
            triggeringAlertId: 'da637200385941308230_1832866941',
          },
        ],
        odd: [],
      },
    });
  });

  it('asks by GET, with the token, for whole seconds, the literals quoted', async () => {
    await reader.listInvestigations(token, { startedSinceMs: sinceMs, machineId: "o'hara" });
    await reader.listInvestigations(token, { startedSinceMs: sinceMs });
    const [one = '', other = ''] = server.conversations.map(({ received }) => received);
    assert.match(one, /^authorization: Bearer secret-token-1\r$/im);
    const filters = [one, other].map((request) =>
      decodeURIComponent(/^GET \/api\/investigations\?\$filter=(\S+) HTTP/.exec(request)?.[1] ?? ''),
    );
    assert.deepEqual(filters, [
      "machineId eq 'o''hara' and startTime ge 2020-03-17T10:00:00Z",
      'startTime ge 2020-03-17T10:00:00Z',
    ]);
  });

  it('reads alerts as recorded: their number of an investigation as its id, those created since then', async () => {
    body({
      value: [manualStart, { ...manualStart, id: 'old', alertCreationTime: '2023-04-25T22:52:11.4Z' }],
    });
    assert.deepEqual(await alerts(Date.parse('2023-04-25T22:52:11.500Z')), {
      kind: 'read',
      value: {
        records: [
          {
            id: manualStart.id,
            createdAtMs: Date.parse('2023-04-25T22:52:11.564Z'),
            title: manualStart.title,
            machineId,
            investigationId: '6',
            description: manualStart.description,
          },
        ],
        odd: [],
      },
    });
  });

  it('takes null and missing members, and unknown ones beside them', async () => {
    body({ id: 'da1_2', startTime: null, state: null, machineId: null, isNew: { and: 'odd' } });
    assert.deepEqual(await find(), {
      kind: 'read',
      value: {
        id: 'da1_2',
        startTimeMs: undefined,
        endTimeMs: undefined,
        state: 'Unknown',
        machineId: undefined,
        triggeringAlertId: undefined,
      },
    });
    body({ value: [{ ...manualStart, investigationId: null, title: null }] });
    const read = await alerts();
    assert.ok(read.kind === 'read');
    assert.equal(read.value.records[0]?.investigationId, undefined);
  });

  it('keeps an id inside its path segment', async () => {
    await reader.findInvestigation(token, '../machines?x#y');
    assert.match(
      server.conversations[0]?.received ?? '',
      /^GET \/api\/investigations\/\.\.%2Fmachines%3Fx%23y /,
    );
  });

  it('unpacks what comes packed', async () => {
    answer = (socket) => {
      const packed = deflateSync(JSON.stringify(recorded));
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\ncontent-length: ${packed.length}\r\n\r\n`,
      );
      socket.end(packed);
    };
    assert.equal((await list()).kind, 'read');
  });

  describe('pages', () => {
    const page = (id: string, next?: string) =>
      JSON.stringify({ value: [{ ...recorded.value[0], id }], ...(next && { '@odata.nextLink': next }) });
    const ids = async () => {
      const read = await list();
      return read.kind === 'read' ? read.value.records.map(({ id }) => id) : read;
    };

    describe('for which a read is to be had every 200 ms', () => {
      const patientReader = () => {
        const budget = createReadBudget({
          redis: redis.client,
          tenantId: randomUUID(),
          limits: [{ calls: 1, windowMs: 200 }],
          timeoutMs: 1_000,
        });
        return createDefenderReader({ budget, baseUrl: server.url, timeoutMs: 2_000 });
      };
      beforeEach('three pages', () => {
        answer = (socket, request) => {
          const skip = Number(/skip=(\d)/.exec(request)?.[1] ?? 0);
          const next = skip < 2 ? `/api/investigations?skip=${skip + 1}` : undefined;
          socket.end(httpAnswer(200, page(`${skip + 1}`, next)));
        };
      });

      it('are read to the end where the list has to be read, and each wait is reported', async () => {
        reader = patientReader();
        const waits: number[] = [];
        const query = { startedSinceMs: 0, onWait: ({ pages }: { pages: number }) => waits.push(pages) };
        const read = await reader.listInvestigations(token, query);
        assert.ok(read.kind === 'read');
        assert.deepEqual(
          read.value.records.map(({ id }) => id),
          ['1', '2', '3'],
        );
        assert.deepEqual([...new Set(waits)], [1, 2]);
      });

      it('are given up otherwise, and it is said when the next read can be made', async () => {
        reader = patientReader();
        const read = await reader.listInvestigations(token, { startedSinceMs: 0 });
        assert.ok(read.kind === 'unreadable' && read.reason === 'paced');
        assert.ok((read.retryAfterMs ?? 0) > 0 && (read.retryAfterMs ?? 0) <= 202);
      });

      it('are waited for no longer once the reader is closed', async () => {
        const closed = patientReader();
        let asked = 0;
        const query = {
          startedSinceMs: 0,
          onWait: () => {
            asked += 1;
            void closed.close();
          },
        };
        assert.equal((await closed.listInvestigations(token, query)).kind, 'unreadable');
        assert.equal(asked, 1);
        reader = patientReader();
      });
    });

    it('are followed to the end', async () => {
      answer = (socket, request) => {
        const isFirst = !request.includes('skip=1');
        socket.end(
          httpAnswer(
            200,
            page(isFirst ? '1' : '2', isFirst ? `${server.url}/api/investigations?$skip=1` : ''),
          ),
        );
      };
      assert.deepEqual(await ids(), ['1', '2']);
    });

    it('are not followed to another host: the token stays here', async () => {
      const other = await openScriptedServer((socket) => void socket.end(httpAnswer(200, page('3'))));
      for (const link of [`${other.url}/api/investigations`, 'http://[', 'javascript:0']) {
        answer = (socket) => void socket.end(httpAnswer(200, page('1', link)));
        assert.deepEqual(await ids(), { kind: 'unreadable', reason: 'foreign_link' }, link);
      }
      assert.equal(other.conversations.length, 0);
      await other.close();
    });

    it('that never end are given up, and what was read of them is not taken for the whole', async () => {
      answer = (socket) => void socket.end(httpAnswer(200, page('1', `${server.url}/api/investigations`)));
      assert.deepEqual(await ids(), { kind: 'unreadable', reason: 'too_many_pages' });
      assert.equal(server.conversations.length, 10);
    });

    it('of which one cannot be read make the whole list unreadable', async () => {
      answer = (socket, request) =>
        void socket.end(
          request.includes('skip=1')
            ? httpAnswer(500)
            : httpAnswer(200, page('1', '/api/investigations?$skip=1')),
        );
      assert.deepEqual(await ids(), { kind: 'unreadable', reason: 'server_error', httpStatus: 500 });
    });
  });

  it('distinguishes what Defender does not know from what cannot be read', async () => {
    body({ error: { code: 'ResourceNotFound' } }, 404);
    assert.deepEqual(await find(), { kind: 'not_found', errorCode: 'ResourceNotFound' });
    body('<html>', 404);
    assert.deepEqual(await find(), { kind: 'not_found' });
    for (const [status, reason] of [
      [401, 'token_rejected'],
      [403, 'not_allowed'],
      [407, 'not_allowed'],
      [400, 'unexpected_answer'],
      [204, 'unexpected_answer'],
      [500, 'server_error'],
      [503, 'server_error'],
    ] as const) {
      body({}, status);
      assert.deepEqual(await find(), { kind: 'unreadable', reason, httpStatus: status });
    }
  });

  it('passes on for how long Defender wants to be left alone', async () => {
    body({}, 429, { 'retry-after': '7' });
    const throttled = { kind: 'unreadable', reason: 'throttled', httpStatus: 429 };
    assert.deepEqual(await alerts(), { ...throttled, retryAfterMs: 7_000 });
  });

  it('follows no redirect', async () => {
    body({}, 302, { location: `${server.url}/api/investigations` });
    assert.deepEqual(await list(), { kind: 'unreadable', reason: 'unexpected_answer', httpStatus: 302 });
    assert.equal(server.conversations.length, 1);
  });

  it('takes an answer of another form for no answer', async () => {
    const oddities = [{}, { value: null }, { value: {} }, { value: [], '@odata.nextLink': 7 }, [], null];
    for (const odd of oddities) {
      body(odd);
      assert.deepEqual(
        await list(),
        { kind: 'unreadable', reason: 'unexpected_answer' },
        JSON.stringify(odd),
      );
    }
    answer = (socket) => void socket.end(httpAnswer(200, '{"value":[').slice(0, -3));
    assert.equal((await list()).kind, 'unreadable');
  });

  it('passes over rows that cannot be read, says how many, and keeps all others', async () => {
    const seen: unknown[] = [];
    await reader.close();
    reader = createDefenderReader({
      budget: unlimitedReads,
      baseUrl: server.url,
      timeoutMs: 2_000,
      onOddRows: (listName, counts) => seen.push([listName, { ...counts }]),
    });
    const oddTime = '2020-03-18T00:00:00';
    body({ value: [null, 7, 'x', [], { id: '' }, ...recorded.value, { startTime: oddTime, machineId: 7 }] });
    const read = await list();
    assert.ok(read.kind === 'read');
    assert.deepEqual(
      read.value.records.map(({ id }) => id),
      ['9'],
    );
    const atMs = Date.parse(`${oddTime}Z`);
    const unknown = { atMs: undefined, title: undefined, machineId: undefined };
    assert.deepEqual(read.value.odd, [...Array.from({ length: 5 }, () => unknown), { ...unknown, atMs }]);

    body({ value: [{ ...manualStart, alertCreationTime: null }, manualStart, { ...manualStart, id: 0 }] });
    const shown = await alerts();
    assert.ok(shown.kind === 'read');
    assert.equal(shown.value.records.length, 1);
    assert.equal(shown.value.odd[0]?.title, manualStart.title);
    body({ value: recorded.value });
    await list();
    assert.deepEqual(seen, [
      ['investigations', { odd: 6, read: 2 }],
      ['alerts', { odd: 2, read: 1 }],
    ]);
  });

  it('reads 200,000 rows', async () => {
    const rows = Array.from({ length: 200_000 }, (_, i) => ({
      id: i + 1,
      startTime: '2020-03-18T00:00:00Z',
    }));
    body({ value: rows });
    await reader.close();
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 15_000 });
    const read = await list();
    assert.equal(read.kind === 'read' && read.value.records.length, rows.length);
  });

  it('reads no document that would take far more memory than its length', async () => {
    await reader.close();
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 15_000 });
    for (const text of ['['.repeat(1024 * 1024), `{"value":[${'{},'.repeat(4 * 1024 * 1024)}{}]}`]) {
      answer = (socket) => void socket.end(httpAnswer(200, text));
      assert.deepEqual(await list(), { kind: 'unreadable', reason: 'too_long' });
    }
  });

  it('parses no document with more names of members than Defender has: each new one takes long', async () => {
    await reader.close();
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 15_000 });
    const names = Array.from({ length: 20_000 }, (_, i) => `"n${i}":1`);
    const objects = Array.from({ length: 500 }, (_, i) => `{${names.slice(40 * i, 40 * (i + 1)).join(',')}}`);
    for (const rows of [`{${names.join(',')}}`, objects.join(',')]) {
      answer = (socket) => void socket.end(httpAnswer(200, `{"value":[${rows}]}`));
      assert.deepEqual(await list(), { kind: 'unreadable', reason: 'too_long' });
    }
  });

  it('keeps no more of a list in memory than fits, however many pages it has', async () => {
    await reader.close();
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 15_000 });
    const manyRows = '0,'.repeat(99_999);
    const longText = `{"id":"9","comment":"${'x'.repeat(13 * 1024 * 1024)}"},`;
    for (const rows of [manyRows, longText]) {
      let pages = 0;
      answer = (socket) => {
        pages += 1;
        const next = pages < 5 ? `,"@odata.nextLink":"/api/investigations?page=${pages}"` : '';
        socket.end(httpAnswer(200, `{"value":[${rows}0]${next}}`));
      };
      assert.deepEqual(await list(), { kind: 'unreadable', reason: 'too_long' });
      assert.ok(pages < 5);
    }
  });

  it('reads past a mark of byte order', async () => {
    answer = (socket) => void socket.end(httpAnswer(200, `\uFEFF${JSON.stringify(recorded)}`));
    assert.equal((await list()).kind, 'read');
    answer = (socket) => void socket.end(httpAnswer(200, `\uFEFF${JSON.stringify(recorded.value[0])}`));
    assert.equal((await find()).kind, 'read');
  });

  it('says when an answer is packed in an unknown way', async () => {
    body(recorded, 200, { 'content-encoding': 'zpaq' });
    assert.deepEqual(await list(), { kind: 'unreadable', reason: 'unknown_coding' });
  });

  it('takes in no more than it has room for', async () => {
    answer = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n');
      const mebibyte = `100000\r\n${' '.repeat(1024 * 1024)}\r\n`;
      for (let i = 0; i < 17; i += 1) socket.write(mebibyte);
      socket.end('c\r\n{"value":[]}\r\n0\r\n\r\n');
    };
    assert.equal((await list()).kind, 'unreadable');
  });

  it('waits no longer than its timeout, for the head and for the body', async () => {
    await reader.close();
    reader = createDefenderReader({ budget: unlimitedReads, baseUrl: server.url, timeoutMs: 100 });
    answer = () => undefined;
    assert.deepEqual(await find(), { kind: 'unreadable', reason: 'timeout' });
    answer = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{');
    assert.deepEqual(await find(), { kind: 'unreadable', reason: 'timeout' });
  });

  it('reports a refused connection, and one that breaks', async () => {
    answer = (socket) => void socket.resetAndDestroy();
    assert.deepEqual(await find(), { kind: 'unreadable', reason: 'connection' });
    const gone = createDefenderReader({
      budget: unlimitedReads,
      baseUrl: 'http://127.0.0.1:1',
      timeoutMs: 1_000,
    });
    assert.deepEqual(await gone.findInvestigation(token, '9'), { kind: 'unreadable', reason: 'connection' });
    await gone.close();
  });

  it('gives up what is under way when it is closed, and reads nothing more', async () => {
    const arrived = new Promise<Socket>((resolve) => (answer = (socket) => resolve(socket)));
    const reading = find();
    const socket = await arrived;
    const ended = once(socket, 'close');
    await reader.close();
    assert.deepEqual(await reading, { kind: 'unreadable', reason: 'closed' });
    await ended;
    assert.deepEqual(await find(), { kind: 'unreadable', reason: 'closed' });
    assert.equal(server.conversations.length, 1);
  });

  it('sends tokens over https only, or within this machine', () => {
    const baseUrl = 'http://defender.example';
    assert.throws(() => createDefenderReader({ budget: unlimitedReads, baseUrl, timeoutMs: 1 }), RangeError);
  });
});
