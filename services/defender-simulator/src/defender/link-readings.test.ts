import assert from 'node:assert/strict';
import { machineId, openSimulator, stoppedClock, type OpenSimulator } from '../../test/open-simulator.ts';
import type { SimulatorOptions } from '../simulator.ts';

describe('the links to what a machine action brought', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.000Z');
  let simulator: OpenSimulator;
  let token: string;

  async function open(options: Partial<SimulatorOptions> = {}): Promise<void> {
    simulator = await openSimulator({ actionMs: 60_000, ...options }, clock);
    token = await simulator.token();
  }
  const make = async (operation: string, body: object = {}) => {
    const path = `/api/machines/${machineId}/${operation}`;
    return (await simulator.send(path, { token, body: { Comment: 'INC-1', ...body } })).json.id as string;
  };
  const link = (id: string, member = 'getPackageUri') =>
    simulator.send(`/api/machineactions/${id}/${member}`, { token });
  const follow = (uri: string) => simulator.send(uri.slice(simulator.origin.length));
  const commands = [
    { type: 'RunScript', params: [{ key: 'ScriptName', value: 'collect.ps1' }] },
    { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Temp\\found.zip' }] },
  ];

  afterEach(() => simulator.close());

  it('are there once the package is, lead to it without a token, and go stale', async () => {
    await open({ linkMs: 1_000 });
    const id = await make('collectInvestigationPackage');
    assert.equal((await link(id)).status, 404);
    clock.advance(60_000);
    const { status, json } = await link(id);
    assert.equal(status, 200);
    assert.equal(json['@odata.context'], `${simulator.origin}/api/$metadata#Edm.String`);
    const there = await follow(json.value);
    assert.deepEqual([there.status, there.headers['content-type']], [200, 'application/zip']);
    clock.advance(1_000);
    assert.equal((await follow(json.value)).status, 403);
    const again = (await link(id)).json.value;
    assert.notEqual(again, json.value);
    assert.equal((await follow(again)).status, 200);
    assert.equal((await follow(`${simulator.origin}/downloads/none`)).status, 404);
  });

  it('of packages can be asked for twice a minute and 120 times an hour', async () => {
    await open({ packageLinksPerHour: 3 });
    const ask = async () => (await link('none')).status;
    assert.deepEqual([await ask(), await ask(), await ask()], [404, 404, 429]);
    clock.advance(60_000);
    assert.equal(await ask(), 404);
    const { json, headers } = await link('none');
    assert.match(json.error.message, /maximum allowed 3 per 01:00:00/);
    assert.equal(headers['retry-after'], String(3_600 - 60));
  });

  it('of a live response are one for each command that ran', async () => {
    await open();
    const id = await make('runliveresponse', { Commands: commands });
    const result = (index: string) => link(id, `GetLiveResponseResultDownloadLink(index=${index})`);
    assert.equal((await result('0')).status, 404);
    await simulator.control(`/machine-actions/${id}/end`, { status: 'Failed', failedCommand: 0 });
    const { json } = await result('0');
    assert.equal((await follow(json.value)).json.exit_code, 1);
    for (const index of ['1', '2', '-1', 'x']) assert.equal((await result(index)).status, 404, index);
    assert.equal((await link(id)).status, 404);
  });

  it('are for applications that may read machines', async () => {
    await open({ roles: ['Machine.CollectForensics'] });
    assert.equal((await link('none')).status, 403);
  });
});
