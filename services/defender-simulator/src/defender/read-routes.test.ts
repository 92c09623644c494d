import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  clientId,
  machineId,
  openSimulator,
  stoppedClock,
  type OpenSimulator,
  type Received,
} from '../../test/open-simulator.ts';
import { isoOfTicks } from './investigations.ts';
import type { SimulatorOptions } from '../simulator.ts';

const otherMachineId = 'a69a22debe5f274d8765ea3c368d00762e057b30';

describe('reading from Defender', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.400Z');
  let simulator: OpenSimulator;
  let token: string;

  async function open(options: Partial<SimulatorOptions> = {}): Promise<void> {
    simulator = await openSimulator(options, clock);
    token = await simulator.token();
  }
  const read = (path: string) => simulator.send(`/api${path}`, { token });
  const idsOf = async (query: string) =>
    (await read(`/investigations?${query}`)).json.value.map(({ id }: { id: string }) => id);

  afterEach(() => simulator.close());

  it('shows a new investigation running, and later ended, with an alert that says who started it', async () => {
    await open({ investigationMs: 60_000 });
    const startedAt = new Date(clock.wallMs()).toISOString().slice(0, 19);
    await simulator.start(token);
    const { status, headers, json } = await read('/investigations/5146');
    assert.deepEqual([status, headers['odata-version']], [200, '4.0']);
    assert.deepEqual(json, {
      '@odata.context': `${simulator.origin}/api/$metadata#Investigations/$entity`,
      id: '5146',
      startTime: `${startedAt}Z`,
      endTime: null,
      state: 'Running',
      cancelledBy: null,
      statusDetails: null,
      machineId,
      computerDnsName: 'desktop-fb9ab6b',
      triggeringAlertId: json.triggeringAlertId,
    });

    const [alert] = (await read(`/machines/${machineId}/alerts`)).json.value;
    assert.equal(alert.id, json.triggeringAlertId);
    const [, ticks = '', number] = /^da(\d{18})_(-?\d+)$/.exec(alert.id) ?? [];
    assert.equal(Number(number) | 0, Number(number));
    assert.equal(alert.alertCreationTime, isoOfTicks(BigInt(ticks)));
    assert.ok(alert.alertCreationTime.startsWith(startedAt));
    assert.equal(alert.investigationId, 5146);
    assert.equal(alert.title, 'Automated investigation started manually');
    assert.equal(alert.detectionSource, 'AutomatedInvestigation');
    assert.ok(
      alert.description.startsWith(`${clientId} initiated an Automated investigation on desktop-fb9ab6b.`),
    );

    clock.advance(60_000);
    const ended = (await read(`/investigations/${alert.id}`)).json;
    assert.deepEqual([ended.id, ended.state], ['5146', 'SuccessfullyRemediated']);
    assert.equal(Date.parse(ended.endTime) - Date.parse(ended.startTime), 60_000);
    assert.equal((await read(`/alerts/${alert.id}`)).json.investigationState, 'SuccessfullyRemediated');
  });

  it('lists investigations newest first and filters them as clients write it', async () => {
    await open();
    const since = new Date(clock.wallMs()).toISOString();
    for (const id of [machineId, otherMachineId, machineId]) {
      await simulator.start(token, id);
      clock.advance(2000);
    }
    assert.deepEqual(await idsOf(''), ['5148', '5147', '5146']);
    assert.deepEqual(await idsOf(`$filter=machineId+eq+'${machineId}'`), ['5148', '5146']);
    const second = new Date(Date.parse(since) + 2000).toISOString();
    const both = encodeURIComponent(`machineId eq '${machineId}' and startTime gt ${second}`);
    assert.deepEqual(await idsOf(`$filter=${both}`), ['5148']);
    assert.deepEqual(await idsOf('$top=1&$skip=1'), ['5147']);
    const { json } = await read('/investigations?$count=true&$top=1');
    assert.equal(json['@odata.context'], `${simulator.origin}/api/$metadata#Investigations`);
    assert.equal(json['@odata.count'], 3);
  });

  it('gives next links that work as they are', async () => {
    await open({ pageSize: 2, limit: 3 });
    for (let call = 0; call < 3; call += 1) await simulator.start(token);
    const filter = encodeURIComponent(`machineId eq '${machineId}'`);
    const first = (await read(`/investigations?$filter=${filter}`)).json;
    const next = new URL(first['@odata.nextLink']);
    assert.equal(next.origin, simulator.origin);
    const second = (await simulator.send(next.pathname + next.search, { token })).json;
    const ids = [...first.value, ...second.value].map(({ id }) => id);
    assert.deepEqual(new Set(ids), new Set(['5146', '5147', '5148']));
    assert.equal(second['@odata.nextLink'], undefined);
  });

  it('finds the alerts of manual starts since a time', async () => {
    await open();
    await simulator.start(token);
    clock.advance(5000);
    const since = new Date(clock.wallMs()).toISOString();
    await simulator.start(token, otherMachineId);
    const text = `detectionSource eq 'AutomatedInvestigation' and alertCreationTime ge ${since}`;
    const { json } = await read(`/alerts?$filter=${encodeURIComponent(text)}`);
    assert.deepEqual(
      json.value.map((alert: { machineId: string }) => alert.machineId),
      [otherMachineId],
    );
    const unfilterable = encodeURIComponent(`machineId eq '${machineId}'`);
    const refused = await read(`/alerts?$filter=${unfilterable}`);
    assert.deepEqual([refused.status, refused.json.error.code], [400, 'ODataError']);
  });

  it('hides what is new for the replication delay, from every read', async () => {
    await open({ replicationDelayMs: 3000 });
    await simulator.start(token);
    clock.advance(2999);
    assert.deepEqual(await visible(read), [0, 0, 0, 404]);
    assert.equal((await simulator.control('/investigations')).json.investigations.length, 1);
    clock.advance(1);
    assert.deepEqual(await visible(read), [1, 1, 1, 200]);
  });

  it('shows what another application started, at once and with their name', async () => {
    await open({ replicationDelayMs: 3000 });
    const order = { machineId, startTime: '2026-10-31T08:00:00Z', actor: 'Jane', state: 'PendingApproval' };
    const { status, json } = await simulator.control('/investigations', order);
    assert.equal(status, 201);
    const { value } = (await read('/investigations')).json;
    assert.deepEqual(value, [json]);
    assert.deepEqual([json.startTime, json.state], ['2026-10-31T08:00:00Z', 'PendingApproval']);
    const [alert] = (await read('/alerts')).json.value;
    assert.match(alert.description, /^Jane /);
    assert.match(alert.alertCreationTime, /^2026-10-31T08:00:00/);
    assert.equal((await simulator.control('/quota')).json.used, 0);
  });

  it('knows exactly the machines of the list, by id and, for reading, by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'simulator-machines-'));
    const machinesFile = join(folder, 'machines.json');
    const named = { id: otherMachineId, computerDnsName: 'web-1', healthStatus: 'Inactive' };
    await writeFile(machinesFile, JSON.stringify([machineId, named]));
    await open({ machinesFile });
    await rm(folder, { recursive: true });

    const { json } = await read('/machines/web-1');
    assert.deepEqual(
      [json.id, json.healthStatus, json.onboardingStatus],
      [otherMachineId, 'Inactive', 'Onboarded'],
    );
    assert.equal(json['@odata.context'], `${simulator.origin}/api/$metadata#Machines/$entity`);
    assert.equal((await read(`/machines/${machineId}`)).status, 200);
    assert.equal((await read(`/machines/${'0'.repeat(40)}`)).status, 404);
    assert.equal((await simulator.start(token, '0'.repeat(40))).status, 404);
    assert.equal((await simulator.start(token, 'web-1')).status, 404);
  });

  it('lists machines by id or name, also several records of one name that were added, to those who may read them', async () => {
    await open();
    const added = [
      { id: 'a'.repeat(40), computerDnsName: 'pc-1', healthStatus: 'Inactive' },
      { id: 'b'.repeat(40), computerDnsName: 'pc-1', aadDeviceId: '5f0c6d8e-0000-4000-8000-000000000001' },
    ];
    const list = async (filter: string) => read(`/machines?$filter=${encodeURIComponent(filter)}`);
    assert.equal((await read('/machines')).status, 404, 'none was seen');
    for (const record of added) assert.equal((await simulator.control('/machines', record)).status, 201);

    const idsBy = async (filter: string) =>
      (await list(filter)).json.value.map(({ id }: { id: string }) => id).toSorted();
    assert.deepEqual(await idsBy("computerDnsName eq 'pc-1'"), ['a'.repeat(40), 'b'.repeat(40)]);
    assert.deepEqual(await idsBy("computerDnsName eq 'pc-1' and healthStatus eq 'Active'"), ['b'.repeat(40)]);
    assert.deepEqual(await idsBy("aadDeviceId eq '5f0c6d8e-0000-4000-8000-000000000001'"), ['b'.repeat(40)]);
    const asked = ['a'.repeat(40), machineId, `dead${'0'.repeat(36)}`];
    assert.deepEqual(await idsBy(`id in (${asked.map((id) => `'${id}'`).join(', ')})`), asked.slice(0, 2));
    assert.equal((await read('/machines/pc-1')).json.computerDnsName, 'pc-1');
    await simulator.close();

    await open({ roles: ['Alert.ReadWrite.All'] });
    assert.equal((await list(`id in ('${machineId}')`)).status, 403);
    assert.equal((await read(`/machines/${machineId}`)).status, 403);
  });

  it('answers 404 to unknown ids, 401 without a token and 405 to another method', async () => {
    await open();
    for (const path of [
      '/investigations/1',
      '/alerts/da1_1',
      '/machines/deadbeef',
      '/machines/deadbeef/alerts',
    ]) {
      const { status, json } = await read(path);
      assert.deepEqual([status, json.error.code], [404, 'ResourceNotFound'], path);
    }
    assert.equal((await simulator.send('/api/investigations')).status, 401);
    assert.equal((await simulator.send('/api/v1.0/investigations', { token, method: 'DELETE' })).status, 405);
  });

  it('has a quota per minute and per hour on each route, which start calls do not touch', async () => {
    await open({ readsPerMinute: 2, readsPerHour: 3 });
    const status = async (path: string) => (await read(path)).status;
    assert.deepEqual([await status('/investigations'), await status('/investigations')], [200, 200]);
    const perMinute = await read('/investigations');
    assert.deepEqual([perMinute.status, perMinute.headers['retry-after']], [429, '60']);
    assert.equal(perMinute.json.error.message, 'API calls quota exceeded! maximum allowed 2 per 00:01:00');
    assert.deepEqual([await status('/alerts'), (await simulator.start(token)).status], [200, 200]);

    clock.advance(60_000);
    assert.equal(await status('/investigations'), 200);
    const perHour = await read('/investigations');
    assert.equal(perHour.json.error.message, 'API calls quota exceeded! maximum allowed 3 per 01:00:00');
    assert.equal(perHour.headers['retry-after'], '3540');
    const { reads } = (await simulator.control('/reads')).json;
    assert.deepEqual(
      reads.map((entry: { status: number }) => entry.status),
      [200, 200, 429, 200, 200, 429],
    );
    assert.deepEqual([reads[3].read, reads[3].url], ['listAlerts', '/api/alerts']);
  });
});

/** How many records each of the lists shows, and the status of reading the one. */
async function visible(read: (path: string) => Promise<Received>): Promise<number[]> {
  const lists = ['/investigations', '/alerts', `/machines/${machineId}/alerts`];
  const pages = await Promise.all(lists.map(read));
  return [...pages.map(({ json }) => json.value.length), (await read('/investigations/5146')).status];
}
