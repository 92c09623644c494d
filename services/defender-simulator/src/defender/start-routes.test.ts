import assert from 'node:assert/strict';
import { inflateSync } from 'node:zlib';

import {
  machineId,
  type OpenSimulator,
  openSimulator,
  type Received,
  type SendOptions,
  stoppedClock,
} from '../../test/open-simulator.ts';
import type { SimulatorOptions } from '../simulator.ts';

const path = `/api/machines/${machineId}/InitiateInvestigation`;
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe('the call that starts an investigation', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.400Z');
  let simulator: OpenSimulator;
  let token: string;

  async function open(options: Partial<SimulatorOptions> = {}): Promise<void> {
    simulator = await openSimulator(options, clock);
    token = await simulator.token();
  }
  const statuses = async (count: number) => {
    const seen: number[] = [];
    for (let call = 0; call < count; call += 1) seen.push((await simulator.start(token)).status);
    return seen;
  };
  const loggedCalls = async () => (await simulator.control('/calls')).json.calls;

  afterEach(() => simulator.close());

  describe('when accepted', () => {
    beforeEach(() => open());

    it('answers as documented, numbering investigations from 5146', async () => {
      const { status, headers, json } = await simulator.start(token);
      assert.equal(status, 200);
      assert.deepEqual(json, {
        '@odata.context': `${simulator.origin}/api/$metadata#Edm.Int64`,
        value: 5146,
      });
      assert.equal(
        headers['content-type'],
        'application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8',
      );
      assert.equal(headers['odata-version'], '4.0');
      assert.equal(headers['transfer-encoding'], 'chunked');
      assert.equal((await simulator.start(token)).json.value, 5147);
    });

    it('is found below the pinned version too', async () => {
      const reply = await simulator.send(path.replace('/api', '/api/v1.0'), {
        token,
        body: { Comment: 'x' },
      });
      assert.equal(reply.status, 200);
    });

    it('deflates the answer for who accepts that', async () => {
      const headers = { 'accept-encoding': 'gzip, deflate' };
      const reply = await simulator.send(path, { token, headers, body: { Comment: 'x' } });
      assert.equal(reply.headers['content-encoding'], 'deflate');
      assert.equal(JSON.parse(inflateSync(reply.bytes).toString()).value, 5146);
    });

    it('answers its successor with 201 and the whole investigation', async () => {
      const successor = `/api/machines/${machineId}/startInvestigation`;
      const { status, json } = await simulator.send(successor, { token, body: { Comment: 'x' } });
      assert.equal(status, 201);
      assert.equal(json['@odata.context'], `${simulator.origin}/api/$metadata#Investigations/$entity`);
      assert.deepEqual([json.id, json.machineId, json.state], ['5146', machineId, 'Running']);
    });

    it('is logged with all that is known about it', async () => {
      await simulator.start(token, machineId, 'why');
      const [call] = await loggedCalls();
      assert.deepEqual(call, {
        seq: 1,
        atMs: clock.monotonicMs(),
        at: '2026-11-01T10:00:00.400Z',
        status: 200,
        operation: 'InitiateInvestigation',
        machineId,
        authorised: true,
        counted: true,
        comment: 'why',
        investigationId: '5146',
        answeredAtMs: clock.monotonicMs(),
      });
    });
  });

  describe('when refused', () => {
    beforeEach(() => open({ limit: 100 }));

    it('answers 401 without a token, with an invented one and with a revoked one, and counts none of them', async () => {
      await simulator.control('/tokens/revoke', {});
      const replies = [
        await simulator.send(path, { body: { Comment: 'x' } }),
        await simulator.start('invented'),
        await simulator.start(token),
      ];
      for (const reply of replies) {
        assert.equal(reply.status, 401);
        assert.equal(reply.headers['odata-version'], undefined);
        assert.equal(reply.headers['content-type'], 'application/json; charset=utf-8');
        assert.equal(errorOf(reply).code, 'Unauthorized');
        assert.match(errorOf(reply).message, /^Unauthorized request - reason of failure: /);
      }
      const { json } = await simulator.control('/calls');
      assert.deepEqual(
        json.calls.map(({ counted, authorised }: never) => [counted, authorised]),
        [
          [false, false],
          [false, false],
          [false, false],
        ],
      );
      assert.deepEqual([json.maxInAnyWindow, json.maxAuthorisedInAnyWindow], [3, 0]);
      assert.equal((await simulator.control('/quota')).json.used, 0);
    });

    const json = { 'content-type': 'application/json' };
    const faulty: [string, SendOptions, string][] = [
      ['the key in another spelling', { body: { comment: 'x' } }, 'MissingRequiredParameter'],
      ['no comment', { body: {} }, 'MissingRequiredParameter'],
      ['an empty comment', { body: { Comment: '' } }, 'MissingRequiredParameter'],
      ['a comment that is no text', { body: { Comment: 7 } }, 'InvalidRequestBody'],
      ['other keys', { body: { Comment: 'x', Title: 'y' } }, 'InvalidRequestBody'],
      ['a list', { body: [] }, 'InvalidRequestBody'],
      ['no JSON', { body: '{"Comment":', headers: json }, 'InvalidRequestBody'],
      ['no body', { method: 'POST', headers: json }, 'MissingRequiredParameter'],
      ['no content type', { body: '{"Comment":"x"}' }, 'InvalidRequestBody'],
      [
        'another content type',
        { body: '{"Comment":"x"}', headers: { 'content-type': 'text/plain' } },
        'InvalidRequestBody',
      ],
    ];
    for (const [what, options, code] of faulty) {
      it(`answers 400 ${code} to ${what}, makes nothing and counts it`, async () => {
        const reply = await simulator.send(path, { token, ...options });
        assert.equal(reply.status, 400);
        assert.equal(errorOf(reply).code, code);
        assert.deepEqual((await simulator.control('/investigations')).json.investigations, []);
        assert.equal((await simulator.control('/quota')).json.used, 1);
      });
    }

    it('accepts a content type with a charset', async () => {
      const headers = { 'content-type': 'application/json; charset=utf-8' };
      assert.equal((await simulator.send(path, { token, headers, body: '{"Comment":"x"}' })).status, 200);
    });

    for (const unknown of [`dead${'0'.repeat(36)}`, '123123123', machineId.toUpperCase(), '__proto__']) {
      it(`answers 404 to the unknown machine ${unknown}`, async () => {
        const reply = await simulator.start(token, unknown);
        assert.equal(reply.status, 404);
        assert.deepEqual(errorOf(reply), {
          code: 'ResourceNotFound',
          message: `Machine ${unknown} was not found`,
        });
      });
    }

    it('answers 405 to another method, without a body, and logs no call', async () => {
      const reply = await simulator.send(path, { token });
      assert.deepEqual(
        [reply.status, reply.text, reply.headers.allow, reply.headers['content-length']],
        [405, '', 'POST', '0'],
      );
      assert.equal((await simulator.send(path)).status, 401);
      assert.deepEqual(await loggedCalls(), []);
    });

    it('answers 400 to an address that cannot be decoded', async () => {
      assert.equal((await simulator.send('/api/machines/%ff', { token })).status, 400);
    });

    it('answers 404 in the same form to what does not exist', async () => {
      assert.deepEqual(errorOf(await simulator.send('/api/nothing', { token })).code, 'NotFound');
    });
  });

  describe('beyond the quota', () => {
    it('answers 429 as recorded, with the whole seconds to wait', async () => {
      await open();
      assert.deepEqual(await statuses(5), [200, 200, 200, 200, 200]);
      clock.advance(1_500_700);
      const reply = await simulator.start(token);
      assert.equal(reply.status, 429);
      assert.equal(reply.json.error.code, '429');
      assert.equal(reply.json.error.message, 'API calls quota exceeded! maximum allowed 5 per 01:00:00');
      assert.equal(reply.headers['retry-after'], '2100');
      const refused = (await loggedCalls()).at(-1);
      assert.deepEqual([refused.status, refused.counted, refused.retryAfterS], [429, false, 2100]);
    });

    it('writes Retry-After as a date that is not too early, if so set', async () => {
      await open({ limit: 1, windowMs: 10_000, retryAfterForm: 'http-date' });
      await statuses(1);
      const freeAt = clock.wallMs() + 10_000;
      const date = (await simulator.start(token)).headers['retry-after'] ?? '';
      assert.match(date, / GMT$/);
      assert.ok(Date.parse(date) >= freeAt && Date.parse(date) < freeAt + 1000, date);
    });

    it('frees one slot of a rolling window at a time', async () => {
      await open({ limit: 2, windowMs: 10_000 });
      await statuses(1);
      clock.advance(4000);
      assert.deepEqual(await statuses(2), [200, 429]);
      clock.advance(6000);
      assert.deepEqual(await statuses(2), [200, 429]);
      assert.equal((await simulator.control('/calls')).json.maxInAnyWindow, 4);
    });

    it('frees a fixed window as a whole', async () => {
      await open({ limit: 2, windowMs: 10_000, windowKind: 'fixed' });
      await statuses(1);
      clock.advance(9999);
      assert.deepEqual(await statuses(2), [200, 429]);
      clock.advance(1);
      assert.deepEqual(await statuses(3), [200, 200, 429]);
    });

    it('lets refused calls push the next slot away, if they count', async () => {
      await open({ limit: 1, windowMs: 10_000, countRefused: true });
      await statuses(1);
      clock.advance(9000);
      const refused = await simulator.start(token);
      assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '10']);
      clock.advance(1000);
      assert.deepEqual(await statuses(1), [429]);
    });

    it('counts what another application spends', async () => {
      await open({ limit: 3 });
      assert.equal((await simulator.control('/quota/use', { calls: 2 })).json.used, 2);
      assert.deepEqual(await statuses(2), [200, 429]);
      assert.equal((await loggedCalls()).length, 2);
    });

    it('stays exact when all calls come at once', async () => {
      await open();
      const replies = await Promise.all(Array.from({ length: 40 }, () => simulator.start(token)));
      assert.equal(replies.filter(({ status }) => status === 200).length, 5);
      assert.equal((await simulator.control('/calls')).json.maxInAnyWindow, 40);
    });
  });

  describe('while one runs on the machine', () => {
    it('makes another one by default, which shows as two', async () => {
      await open();
      await statuses(2);
      const { json } = await simulator.control('/calls');
      assert.deepEqual(json.investigationsByMachine, { [machineId]: ['5146', '5147'] });
    });

    it('gives the running one and an alert of its own, if so set', async () => {
      await open({ onRunning: 'existing', investigationMs: 1000 });
      await statuses(1);
      clock.advance(999);
      assert.equal((await simulator.start(token)).json.value, 5146);
      const alerts = (await simulator.send(`/api/machines/${machineId}/alerts`, { token })).json.value;
      assert.deepEqual(
        alerts.map((alert: { investigationId: number }) => alert.investigationId),
        [5146, 5146],
      );
      const { json } = await simulator.send('/api/investigations/5146', { token });
      assert.equal(json.triggeringAlertId, alerts[1].id);
      clock.advance(1);
      assert.equal((await simulator.start(token)).json.value, 5147);
    });

    it('refuses, if so set', async () => {
      await open({ onRunning: 'refuse' });
      await statuses(1);
      const { status, json } = await simulator.start(token);
      assert.equal(status, 400);
      assert.equal(json.error.code, 'ActiveRequestAlreadyExists');
      assert.equal(json.error.message, 'Action is already in progress');
    });
  });
});

function errorOf({ json }: Received): { code: string; message: string } {
  const { code, message, target } = json.error;
  assert.match(target, guid);
  return { code, message };
}
