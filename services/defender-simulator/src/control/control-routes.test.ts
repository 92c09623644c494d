import assert from 'node:assert/strict';

import { machineId, type OpenSimulator, openSimulator } from '../../test/open-simulator.ts';

describe('the control routes', () => {
  let simulator: OpenSimulator;
  afterEach(() => simulator.close());

  it('answer only who has the key, but for healthz', async () => {
    simulator = await openSimulator({ controlKey: 'the-key' });
    const status = async (key: string | undefined, path: string) =>
      (await simulator.send(path, { headers: key === undefined ? {} : { 'x-control-key': key } })).status;
    assert.equal(await status(undefined, '/control/healthz'), 200);
    assert.equal(await status(undefined, '/control/calls'), 401);
    assert.equal(await status('wrong', '/control/calls'), 401);
    assert.equal(await status('the-key', '/control/calls'), 200);
  });

  it('answer once so many calls are decided, or that they did not come in time', async () => {
    simulator = await openSimulator();
    const token = await simulator.token();
    const waiting = simulator.control('/calls?wait=2');
    await simulator.start(token);
    const early = (await simulator.control('/calls?wait=2&timeoutMs=1')).json;
    assert.deepEqual([early.reached, early.calls.length], [false, 1]);
    await simulator.start(token);
    const { json } = await waiting;
    assert.deepEqual([json.reached, json.calls.length], [true, 2]);
    assert.deepEqual([json.limit, json.windowMs, json.windowKind], [5, 3_600_000, 'rolling']);
    assert.deepEqual(
      json.calls.map((call: { seq: number }) => call.seq),
      [1, 2],
    );
    assert.ok(json.calls[0].atMs < json.calls[1].atMs);
  });

  it('empty the log without giving the quota back', async () => {
    simulator = await openSimulator({ limit: 1 });
    const token = await simulator.token();
    await simulator.start(token);
    assert.equal((await simulator.control('/calls', undefined, 'DELETE')).status, 204);
    const { json } = await simulator.control('/calls');
    assert.deepEqual([json.calls, json.maxInAnyWindow, json.investigationsByMachine], [[], 0, {}]);
    assert.equal((await simulator.start(token)).status, 429);
    await simulator.control('/quota', undefined, 'DELETE');
    assert.equal((await simulator.start(token)).status, 200);
  });

  const faulty: [string, string | object, string | RegExp][] = [
    ['/faults', '{', 'bad_json'],
    ['/faults', {}, /target: .*action: /],
    ['/faults', { target: 'start', action: { kind: 'explode' } }, /action\.kind/],
    ['/faults', { target: 'start', action: { kind: 'status', status: 99 } }, /action\.status/],
    ['/faults', { target: 'start', action: { kind: 'hang' }, time: 2 }, /time/],
    [
      '/faults',
      { target: 'start', action: { kind: 'token-refused', error: 'AADSTS700016' } },
      /target token/,
    ],
    ['/investigations', { machineId, startTime: 'yesterday' }, /startTime/],
    ['/quota/use', { calls: 0 }, /calls/],
    ['/calls?wait=-1', '', /wait/],
  ];
  for (const [path, body, expected] of faulty) {
    it(`refuse with a reason: ${path} ${JSON.stringify(body)}`, async () => {
      simulator = await openSimulator();
      const options = { headers: { 'content-type': 'application/json' }, ...(body === '' ? {} : { body }) };
      const { status, json } = await simulator.send(`/control${path}`, options);
      assert.equal(status, 400);
      if (typeof expected === 'string') assert.equal(json.error.code, expected);
      else assert.match(json.error.message, expected);
    });
  }

  it('refuse an unknown machine and an unknown route with 404', async () => {
    simulator = await openSimulator();
    const unknown = await simulator.control('/investigations', { machineId: 'dead' });
    assert.deepEqual([unknown.status, unknown.json.error.code], [404, 'unknown_machine']);
    assert.equal((await simulator.control('/nothing')).status, 404);
  });

  it('spend at most the free slots as another application', async () => {
    simulator = await openSimulator({ limit: 3 });
    const { json } = await simulator.control('/quota/use', { calls: 10 });
    assert.equal(json.used, 3);
    assert.ok(json.freeInMs > 3_590_000 && json.freeInMs <= 3_600_000);
  });

  it('say how many tokens they made worthless', async () => {
    simulator = await openSimulator();
    await simulator.token();
    await simulator.token();
    assert.equal((await simulator.control('/tokens/revoke', {})).json.revoked, 2);
  });
});
