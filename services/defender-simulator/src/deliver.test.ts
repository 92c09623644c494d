import assert from 'node:assert/strict';
import { retiredForms, unusableForms } from './defender/absent-endpoint.ts';
import {
  machineId,
  openSimulator,
  tokenForm,
  tokenPath,
  type OpenSimulator,
} from '../test/open-simulator.ts';

const otherMachineId = 'a69a22debe5f274d8765ea3c368d00762e057b30';

describe('scripted faults', () => {
  let simulator: OpenSimulator;
  let token: string;

  beforeEach(async () => {
    simulator = await openSimulator({ limit: 100 });
    token = await simulator.token();
  });
  afterEach(() => simulator.close());

  const script = async (action: object, more: object = {}) => {
    const reply = await simulator.control('/faults', { target: 'start', ...more, action });
    assert.equal(reply.status, 201, reply.text);
  };
  const made = async () => (await simulator.control('/investigations')).json.investigations.length;
  const readStatus = async (path: string) => (await simulator.send(`/api${path}`, { token })).status;
  const calls = async () => (await simulator.control('/calls')).json.calls;

  describe('status', () => {
    it('answers with the usual body and makes nothing, once', async () => {
      await script({ kind: 'status', status: 500 });
      const { status, json } = await simulator.start(token);
      assert.deepEqual([status, json.error.code, await made()], [500, 'InternalServerError', 0]);
      assert.equal((await simulator.start(token)).status, 200);
    });

    it('answers with the given body and headers', async () => {
      const body = { error: { code: 'DisabledFeature', message: 'retired', target: 't' } };
      await script({ kind: 'status', status: 403, body, headers: { 'x-test': 'yes' } });
      const { status, json, headers } = await simulator.start(token);
      assert.deepEqual([status, json, headers['x-test']], [403, body, 'yes']);
      await script({ kind: 'status', status: 502, body: '<html>', headers: { 'Content-Type': 'text/html' } });
      const gateway = await simulator.start(token);
      assert.deepEqual([gateway.text, gateway.headers['content-type']], ['<html>', 'text/html']);
    });

    it('makes the investigation nevertheless, if the fault says so, and logs it', async () => {
      await script({ kind: 'status', status: 503, made: true });
      assert.equal((await simulator.start(token)).status, 503);
      const [call] = await calls();
      assert.deepEqual([call.status, call.investigationId, await made()], [503, '5146', 1]);
    });

    it('throttles with any Retry-After or none, and such calls do not count', async () => {
      await script({ kind: 'status', status: 429, retryAfter: 7 });
      await script({ kind: 'status', status: 429, retryAfter: 'Sun, 01 Nov 2026 10:00:00 GMT' });
      await script({ kind: 'status', status: 429, retryAfter: null });
      const seen = [];
      for (let call = 0; call < 3; call += 1)
        seen.push((await simulator.start(token)).headers['retry-after']);
      assert.deepEqual(seen, ['7', 'Sun, 01 Nov 2026 10:00:00 GMT', undefined]);
      assert.equal((await simulator.control('/quota')).json.used, 0);
      assert.equal((await calls())[0].retryAfterS, 7);
    });
  });

  it('are used up in order, as often as said, on the machine that they are for', async () => {
    await script({ kind: 'status', status: 500 }, { times: 2, when: { machineId: otherMachineId } });
    await script({ kind: 'status', status: 404 }, { times: null, when: { machineId: otherMachineId } });
    const seen = [];
    for (const id of [machineId, otherMachineId, otherMachineId, machineId, otherMachineId, otherMachineId]) {
      seen.push((await simulator.start(token, id)).status);
    }
    assert.deepEqual(seen, [200, 500, 500, 200, 404, 404]);
    const { faults } = (await simulator.control('/faults')).json;
    assert.deepEqual(
      faults.map(({ id, times }: never) => [id, times]),
      [['fault-2', null]],
    );
  });

  it('leave a call alone that has no valid token or no slot, and keep for the next one', async () => {
    await script({ kind: 'status', status: 500 });
    assert.equal((await simulator.start('invented')).status, 401);
    await simulator.control('/quota/use', { calls: 100 });
    assert.equal((await simulator.start(token)).status, 429);
    await simulator.control('/quota', undefined, 'DELETE');
    assert.equal((await simulator.start(token)).status, 500);
  });

  it('delay: does at once what is asked and answers when the time is over', async () => {
    await script({ kind: 'delay', ms: 30 });
    const before = performance.now();
    assert.equal((await simulator.start(token)).status, 200);
    assert.ok(performance.now() - before >= 29);
    const [call] = await calls();
    assert.ok(call.answeredAtMs - call.atMs >= 29);
  });

  it('delay: is known to be made while the answer is still out, and clearing the plan answers it', async () => {
    await script({ kind: 'delay', ms: 600_000 });
    const answer = simulator.start(token);
    const { reached, calls } = (await simulator.control('/calls?wait=1')).json;
    assert.deepEqual(
      [reached, calls[0].status, calls[0].answeredAtMs, await made()],
      [true, 200, undefined, 1],
    );
    const { json } = await simulator.control('/faults', undefined, 'DELETE');
    assert.equal(json.released, 1);
    assert.equal((await answer).status, 200);
  });

  for (const isMade of [false, true]) {
    it(`hang: never answers, ${isMade ? 'having made' : 'without making'} an investigation; clearing cuts it off`, async () => {
      await script({ kind: 'hang', made: isMade });
      const cutOff = assert.rejects(simulator.start(token), { code: 'ECONNRESET' });
      const { calls } = (await simulator.control('/calls?wait=1')).json;
      assert.deepEqual([calls[0].status, await made()], ['hang', isMade ? 1 : 0]);
      await simulator.control('/faults', undefined, 'DELETE');
      await cutOff;
    });
  }

  it('hang: lets a client go that gives up', async () => {
    await script({ kind: 'hang' });
    const giveUp = new AbortController();
    const options = { token, body: { Comment: 'x' }, signal: giveUp.signal };
    const given = assert.rejects(
      simulator.send(`/api/machines/${machineId}/InitiateInvestigation`, options),
      { name: 'AbortError' },
    );
    await simulator.control('/calls?wait=1');
    giveUp.abort();
    await given;
    assert.equal((await simulator.start(token)).status, 200);
  });

  for (const [when, count] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    it(`reset: breaks the connection ${when} the investigation was made`, async () => {
      await script({ kind: 'reset', when });
      await assert.rejects(simulator.start(token), { code: 'ECONNRESET', syscall: 'read' });
      const [call] = await calls();
      assert.deepEqual([call.status, call.counted, await made()], ['reset', true, count]);
    });
  }

  it('retired and unusable: answer as a call that is no longer offered, or no API at all, and make nothing', async () => {
    const seen = [];
    for (const action of [
      ...retiredForms.map((form) => ({ kind: 'retired', form })),
      ...unusableForms.map((form) => ({ kind: 'unusable', form })),
    ]) {
      await script(action);
      const { status, text, headers } = await simulator.start(token);
      seen.push([
        status,
        (headers['content-type'] ?? '').startsWith('text/html'),
        /"code":"(\w+)"/.exec(text)?.[1],
      ]);
    }
    assert.deepEqual(seen, [
      [410, false, undefined],
      [404, false, 'NotFound'],
      [403, false, 'DisabledFeature'],
      [400, false, 'BadRequest'],
      [404, false, 'NotFound'],
      [400, true, undefined],
      [403, true, undefined],
      [404, true, undefined],
      [431, true, undefined],
      [302, true, undefined],
      [405, false, undefined],
      [400, false, 'SomethingNobodyDocumented'],
    ]);
    assert.equal(await made(), 0);
  });

  it('broken-body: cuts the connection in the middle of the answer', async () => {
    await script({ kind: 'broken-body', form: 'truncated' });
    await assert.rejects(simulator.start(token), { code: 'ECONNRESET' });
    assert.equal(await made(), 1);
  });

  it('broken-body: begins with a mark of byte order, or has rows that are odd around those that are not', async () => {
    await script({ kind: 'broken-body', form: 'byte-order-mark' });
    assert.match((await simulator.start(token)).text, /^\uFEFF\{"@odata.context"/);
    await script({ kind: 'broken-body', form: 'odd-rows' }, { target: 'read' });
    const { value } = (await simulator.send('/api/investigations', { method: 'GET', token })).json;
    assert.equal(value[0], null);
    assert.equal(
      value.filter((row: { computerDnsName?: unknown } | null) => row?.computerDnsName !== undefined).length,
      1,
    );
  });

  it('broken-body: sends what is no JSON, or JSON without the value', async () => {
    await script({ kind: 'broken-body', form: 'not-json' });
    await script({ kind: 'broken-body', form: 'no-value' });
    const text = await simulator.start(token);
    assert.deepEqual([text.status, text.text[0]], [200, '<']);
    const valueless = await simulator.start(token);
    assert.deepEqual([valueless.status, Object.keys(valueless.json)], [200, ['@odata.context']]);
    assert.equal(await made(), 2);
  });

  describe('at the token endpoint', () => {
    it('refuse with any of the known errors', async () => {
      await script({ kind: 'token-refused', error: 'AADSTS7000222' }, { target: 'token' });
      const { status, json } = await simulator.send(tokenPath, tokenForm());
      assert.deepEqual([status, json.error, json.error_codes], [401, 'invalid_client', [7000222]]);
      assert.equal((await simulator.send(tokenPath, tokenForm())).status, 200);
    });

    it('fail in the form of the endpoint', async () => {
      await script({ kind: 'status', status: 503, retryAfter: 3 }, { target: 'token' });
      const { status, headers, json } = await simulator.send(tokenPath, tokenForm());
      assert.deepEqual([status, headers['retry-after'], json.error], [503, '3', 'temporarily_unavailable']);
    });

    it('hang, and leave out the token', async () => {
      await script({ kind: 'hang' }, { target: 'token' });
      const cutOff = assert.rejects(simulator.send(tokenPath, tokenForm()), { code: 'ECONNRESET' });
      await simulator.control('/token-requests?wait=2'); // the first was made before the test
      await simulator.control('/faults', undefined, 'DELETE');
      await cutOff;
      await script({ kind: 'broken-body', form: 'no-value' }, { target: 'token' });
      const { json } = await simulator.send(tokenPath, tokenForm());
      assert.deepEqual(Object.keys(json), ['token_type', 'expires_in', 'ext_expires_in']);
    });
  });

  it('reach reads, of one route or about one machine', async () => {
    await script({ kind: 'status', status: 500 }, { target: 'read', when: { read: 'listAlerts' } });
    await script({ kind: 'status', status: 503 }, { target: 'read', when: { machineId } });
    assert.equal(await readStatus('/investigations'), 200);
    assert.equal(await readStatus('/alerts'), 500);
    assert.equal(await readStatus('/alerts'), 200);
    assert.equal(await readStatus(`/investigations?$filter=machineId+eq+'${otherMachineId}'`), 200);
    assert.equal(await readStatus(`/investigations?$filter=machineId+eq+'${machineId}'`), 503);
  });
});
