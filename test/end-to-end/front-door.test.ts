import assert from 'node:assert/strict';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { allOutput } from '@diq/testing/service-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack, type Stack } from './support/stack.ts';

/** What connectors read of an answer. */
interface Answer {
  status: number;
  body: Record<string, unknown> & {
    id: string;
    value: { id: string; aadDeviceId: string | null; status: string }[];
  };
  text: string;
}

/**
 * What each family of connectors sends and reads, by their public code and documents, against intake, worker and simulator as
 * processes of their own. Only the hosts of API and tokens are others.
 */
describe('connectors at the front door', function () {
  this.timeout(90_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;
  let door: string;

  before('start the stack', async () => {
    stack = await startStack({
      redisUrl: redis.url,
      limit: 50,
      windowMs: 60_000,
      workers: 1,
      env: {
        FRONT_DOOR: 'on',
        DEFENDER_OPERATION: 'startInvestigation',
        DEFENDER_OPERATIONS: 'initiateInvestigation,isolate,unisolate,runAntiVirusScan,runLiveResponse',
      },
      workerEnv: { FOLLOW_UP_EVERY: '1s' },
      simulatorEnv: {
        SIMULATOR_ACTION_TIME: '300ms',
        SIMULATOR_ACTION_PENDING: '0',
        SIMULATOR_INVESTIGATION_TIME: '300ms',
      },
    });
    door = `http://127.0.0.1:${stack.intakes[0]?.ready.port}/defender`;
  });
  after(() => stack?.stop());

  const tokens = new Map<string, string>();
  /** Token by the form of version 1 or 2. */
  async function tokenBy(path: string, more: Record<string, string>): Promise<string> {
    const known = tokens.get(path);
    if (known !== undefined) return known;
    const answer = await fetch(`${door}/${stack.tenantId}/oauth2/${path}`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'test',
        client_secret: stack.secrets.apiKey,
        ...more,
      }),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    tokens.set(path, token);
    return token;
  }
  async function call(token: string, path: string, body?: object): Promise<Answer> {
    const answer = await fetch(`${door}${path}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        Authorization: `Bearer ${token}`,
        Accept: 'application/json',
        'Content-Type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, text, body: JSON.parse(text) as Answer['body'] };
  }
  const idOf = (answer: Answer) => {
    assert.equal(answer.status, 201, answer.text);
    assert.ok(answer.body.id);
    return answer.body.id;
  };
  const ended = (what: string, look: () => Promise<Answer>, isEnd: (body: Answer['body']) => boolean) =>
    waitFor(
      async () => {
        const answer = await look();
        assert.equal(answer.status, 200, answer.text);
        return isEnd(answer.body) && answer.body;
      },
      { what, timeoutMs: 60_000, intervalMs: 300 },
    );

  it('Cortex responder: looks up the host, acts on the device’s id, and takes 201 alone for success', async () => {
    const device = '7d1c9d8e-58f4-4a6e-9a0e-6d3f0a4b1c2d';
    const [id = ''] = machineIds(1);
    await stack.control.addMachine({ id, computerDnsName: 'wks-1.contoso.example', aadDeviceId: device });
    const token = await tokenBy('token', { resource: 'https://api.securitycenter.windows.com' });
    const found = await call(token, "/api/v1.0/machines?$filter=computerDnsName+eq+'wks-1.contoso.example'");
    assert.equal(found.status, 200, found.text);
    assert.ok(found.text.length > 100);
    const [machine] = found.body.value;
    const named = machine?.aadDeviceId ?? machine?.id ?? '';
    assert.equal(named, device);
    for (const [verb, body] of [
      ['isolate', { Comment: 'Isolate machine due to TheHive case 7', IsolationType: 'Full' }],
      ['runAntiVirusScan', { Comment: 'Full scan to machine due to TheHive case 7', ScanType: 'Full' }],
      ['startInvestigation', { Comment: 'Start investigation due to TheHive case 7' }],
    ] as const) {
      idOf(await call(token, `/api/v1.0/machines/${named}/${verb}`, body));
    }
    const { machineId } = (
      await call(
        token,
        `/api/machineactions/${idOf(await call(token, `/api/machines/${named}/isolate`, { Comment: 'again', IsolationType: 'Full' }))}`,
      )
    ).body;
    assert.equal(machineId, id);
  });

  it('Kibana: its test passes, and an isolation is followed by a filter of ids to its end', async () => {
    const token = await tokenBy('v2.0/token', { scope: 'https://api.securitycenter.microsoft.com/.default' });
    const odd = '/api/machines/elastic-connector-test';
    const commands = [
      {
        type: 'RunScript',
        params: [
          { key: 'ScriptName', value: 'test' },
          { key: 'Args', value: '--noargs' },
        ],
      },
    ];
    const comment = { Comment: 'connector test' };
    for (const answer of [
      await call(token, odd),
      await call(token, `${odd}/isolate`, { ...comment, IsolationType: 'Full' }),
      await call(token, `${odd}/unisolate`, comment),
      await call(token, `${odd}/runliveresponse`, { ...comment, Commands: commands }),
    ])
      assert.match(answer.text, /ResourceNotFound/);
    const list = await call(token, '/api/machineactions?$count=true&$top=1');
    assert.deepEqual([list.status, Array.isArray(list.body.value)], [200, true], list.text);

    const [machine = ''] = machineIds(1);
    assert.equal((await call(token, `/api/machines/${machine}`)).body.id, machine);
    const id = idOf(
      await call(token, `/api/machines/${machine}/isolate`, { Comment: 'kibana', IsolationType: 'Full' }),
    );
    const filter = encodeURIComponent(`id in ('${id}')`);
    const path = `/api/machineactions?$count=true&$top=1000&$filter=${filter}`;
    const last = await ended(
      'the isolation to end',
      () => call(token, path),
      ({ value }) => value[0]?.status !== 'Pending' && value[0]?.status !== 'InProgress',
    );
    assert.deepEqual([last.value[0]?.id, last.value[0]?.status], [id, 'Succeeded']);

    const script = idOf(
      await call(token, `/api/machines/${machine}/runliveresponse`, { ...comment, Commands: commands }),
    );
    const output = `/api/machineactions/${script}/GetLiveResponseResultDownloadLink(index=0)`;
    const link = await waitFor(
      async () => {
        const answer = await call(token, output);
        return answer.status === 200 && answer.body.value;
      },
      { what: 'a link to the output', timeoutMs: 30_000, intervalMs: 300 },
    );
    assert.match(JSON.stringify(link), /^"https:/);
  });

  it('Swimlane, XSOAR: an investigation keeps its id from Queued to its end', async () => {
    const token = await tokenBy('v2.0/token', {});
    const [machine = '', second = ''] = machineIds(2);
    const id = idOf(await call(token, `/api/machines/${machine}/startInvestigation`, { Comment: 'INC-1' }));
    const last = await ended(
      'the investigation to end',
      () => call(token, `/api/investigations/${id}`),
      ({ endTime }) => endTime !== null,
    );
    assert.equal(last.id, id);
    assert.equal(last['defenderId'], await stack.control.investigationOf(machine));
    assert.match(String(last['state']), /^(?:SuccessfullyRemediated|Benign)$/);
    // A worker reads them, which a busy machine may keep from answering in time; a connector asks again then.
    const listed = await waitFor(
      async () => {
        const { status, text, body } = await call(token, '/api/investigations');
        assert.ok(status === 200 || status === 503, text);
        return status === 200 && body.value;
      },
      { what: 'the list of investigations', timeoutMs: 20_000, intervalMs: 300 },
    );
    assert.ok(listed.length > 0);

    const answer = await call(token, `/api/machines/${second}/InitiateInvestigation`, { Comment: 'INC-2' });
    assert.equal(answer.status, 200, answer.text);
    const number = answer.body.value as unknown as number;
    const other = await ended(
      'the other one to end',
      () => call(token, `/api/investigations/${number}`),
      ({ endTime }) => endTime !== null,
    );
    assert.equal(other.id, String(number));
  });

  it('what is not read for connectors is 501, and no log has a token or the secret', async () => {
    const token = await tokenBy('v2.0/token', {});
    for (const path of ['/api/alerts', '/api/machines?$expand=x', '/api/settings'])
      assert.equal((await call(token, path)).status, 501);
    assert.equal((await call(token, '/api/advancedqueries/run', { Query: 'DeviceInfo' })).status, 501);
    for (const secret of [
      stack.secrets.apiKey,
      ...[...tokens.values()].map((one) => one.split('~').at(-1) ?? one),
    ])
      assert.ok(!allOutput().includes(secret));
  });
});
