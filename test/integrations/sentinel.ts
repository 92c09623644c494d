import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { machineIds } from '../end-to-end/support/stack.ts';
import type { Service } from './support/service.ts';
import { runWorkflow, type Action } from './support/workflow/run-workflow.ts';

const file = new URL('../../examples/integrations/sentinel/azuredeploy.json', import.meta.url);
const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
const [connection, playbook] = template.resources;
const { definition, parameters } = playbook.properties;

describe('the playbook for Sentinel', () => {
  const all = allActions(definition.actions);

  it('is a template that gives the workflow each of its parameters, the key as a secret', () => {
    assert.deepEqual(
      [connection.type, playbook.type],
      ['Microsoft.Web/connections', 'Microsoft.Logic/workflows'],
    );
    assert.deepEqual(Object.keys(definition.parameters), Object.keys(parameters));
    for (const { value } of Object.values(parameters)) {
      const [, name] = /^\[parameters\('(\w+)'\)\]$/.exec(String(value)) ?? [];
      if (name !== undefined) assert.ok(template.parameters[name], name);
    }
    assert.equal(definition.parameters['intakeKey']?.type, 'SecureString');
    assert.equal(template.parameters['IntakeApiKey']?.type, 'securestring');
    assert.deepEqual(parameters['intakeKey'], { value: "[parameters('IntakeApiKey')]" });
  });

  it('keeps the key out of the history of runs, and repeats each call where that may help', () => {
    const calls = all.filter(([, { type }]) => type === 'Http').map(([, action]) => action as Call);
    assert.equal(calls.length, 3);
    for (const { inputs, runtimeConfiguration } of calls) {
      assert.equal(inputs.headers['X-API-Key'], "@parameters('intakeKey')");
      assert.deepEqual(runtimeConfiguration.secureData.properties, ['inputs']);
      assert.equal(inputs.retryPolicy.type, 'exponential');
    }
    const naming = all.filter(([, action]) => JSON.stringify(own(action)).includes('intakeKey'));
    assert.equal(naming.length, calls.length, 'nothing else has the key');
  });

  it('waits as long as an incident may take: a loop at its bounds ends after 7 days', () => {
    const until = all.find(([name]) => name === 'Until_completed')?.[1];
    assert.deepEqual(until?.limit, { count: 5000, timeout: 'P7D' });
    assert.deepEqual(until?.actions?.['Delay']?.inputs, { interval: { count: 5, unit: 'Minute' } });
  });
});

export function describeSentinel(service: Service): void {
  describe('the playbook for Sentinel, its calls made at the service', () => {
    const incident = {
      id: '/subscriptions/1/resourceGroups/soc/providers/Microsoft.SecurityInsights/incidents/1',
      name: randomUUID(),
      properties: { incidentNumber: 4711, title: 'Beaconing', relatedEntities: [{ kind: 'Host' }] },
    };

    /** One run for these hosts; resolves to the comments that the incident got. */
    async function run(
      hosts: object[],
      {
        runName = randomUUID(),
        wait = async () => {},
      }: { runName?: string; wait?: () => Promise<void> } = {},
    ) {
      const comments: { incidentArmId: string; message: string }[] = [];
      const statuses = await runWorkflow(definition.actions, {
        trigger: { object: incident },
        runName,
        parameters: {
          $connections: { azuresentinel: { connectionId: 'c' } },
          intakeUrl: service.url,
          intakeKey: service.key,
          priority: 'high',
        },
        connection: ({ path, body }) => {
          if (path === '/Incidents/Comment') return void comments.push(body as (typeof comments)[number]);
          assert.deepEqual([path, body], ['/entities/host', incident.properties.relatedEntities]);
          return { Hosts: hosts };
        },
        wait,
      });
      assert.ok(comments.every(({ incidentArmId }) => incidentArmId === incident.id));
      return { statuses, comments: comments.map(({ message }) => message) };
    }

    it('submits the hosts that Defender knows, waits for the batch, and comments with what became of each', async () => {
      const [machine = '', other = ''] = machineIds(2);
      const hosts = [
        { HostName: 'a', MdatpDeviceId: machine },
        { HostName: 'printer' },
        { HostName: 'b', MdatpDeviceId: other },
      ];
      let resume = () => {};
      const resumed = new Promise<void>((resolve) => (resume = resolve));
      const paused = service.whilePaused(() => resumed);
      let looks = 0;
      const wait = async () => {
        looks += 1;
        if (looks === 1) return;
        resume();
        await paused;
        const { body } = await service.api.call('GET', `/v1/batches?correlation.incident=${incident.name}`);
        await service.api.untilCompleted((body as { value: { id: string }[] }).value[0]?.id ?? '', 20_000);
      };
      const { comments, statuses } = await run(hosts, { wait });
      assert.equal(looks, 2);
      assert.equal(statuses['Comment_none'], undefined);
      assert.match(
        comments[0] ?? '',
        /: batch [\da-f-]+\. 2 accepted, 0 share a call with others, 0 rejected\./,
      );
      for (const id of [machine, other])
        assert.ok(
          comments[1]?.includes(
            `<td>${id}</td><td>started</td><td>${await service.control.investigationOf(id)}</td>`,
          ),
          comments[1],
        );
      const { body } = await service.api.call('GET', `/v1/requests?correlation.incident=${incident.name}`);
      const [first] = (body as { value: Record<string, unknown>[] }).value;
      assert.deepEqual(
        [first?.['comment'], first?.['priority'], first?.['source']],
        ['Microsoft Sentinel incident 4711: Beaconing', 'high', 'sentinel'],
      );
    });

    it('gets its batch again where an action is repeated, and another one in another run', async () => {
      const hosts = [{ MdatpDeviceId: machineIds(1)[0] }];
      const batchOf = async (runName: string) =>
        /batch ([\da-f-]+)/.exec((await run(hosts, { runName })).comments[0] ?? '')?.[1];
      const first = await batchOf('run-1');
      assert.ok(first);
      assert.equal(await batchOf('run-1'), first);
      assert.notEqual(await batchOf('run-2'), first);
    });

    it('says so where no host is known to Defender', async () => {
      const { comments, statuses } = await run([{ HostName: 'printer' }]);
      assert.equal(comments.length, 1);
      assert.match(comments[0] ?? '', /no host of this incident/);
      assert.equal(statuses['Submit_batch'], undefined);
    });
  });
}

function allActions(actions: Record<string, Action>): [string, Action][] {
  return Object.entries(actions).flatMap(([name, action]) => [
    [name, action] as [string, Action],
    ...allActions({ ...action.actions, ...action.else?.actions }),
  ]);
}

/** An action without those in it. */
function own(action: Action): object {
  return { ...action, actions: undefined, else: undefined };
}

interface Call extends Action {
  inputs: { headers: Record<string, string>; retryPolicy: { type: string } };
  runtimeConfiguration: { secureData: { properties: string[] } };
}

interface Template {
  parameters: Record<string, { type: string }>;
  resources: [
    { type: string },
    {
      type: string;
      properties: {
        definition: { parameters: Record<string, { type: string }>; actions: Record<string, Action> };
        parameters: Record<string, { value: unknown }>;
      };
    },
  ];
}
