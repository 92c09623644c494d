import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { machineIds } from '../end-to-end/support/stack.ts';
import { requirePython, runPython } from './support/run-python.ts';
import type { Service } from './support/service.ts';

const folder = new URL('../../examples/integrations/xsoar/', import.meta.url);
const code = new URL('DefenderInvestigationQueue.py', folder);
const description = parse(
  readFileSync(new URL('DefenderInvestigationQueue.yml', folder), 'utf8'),
) as Integration;
const commands = new Map(description.script.commands.map((command) => [command.name, command]));

export function describeXsoar(service: Service): void {
  describe('the XSOAR integration', () => {
    before('look for python3 with requests', requirePython());

    /** Calls a command as the description of the integration has it. */
    async function call(
      command: string,
      args: object = {},
      more: { investigation?: string; key?: string } = {},
    ) {
      const { key = service.key, ...host } = more;
      const params = { url: service.url, credentials: { password: key } };
      const input = JSON.stringify({ command, args: { ...defaultsOf(command), ...args }, params, ...host });
      const { output, complaint } = await runPython(code, { input });
      assert.ok(output !== '', complaint);
      const said = JSON.parse(output) as Said;
      for (const result of said.results ?? []) assertDescribed(command, result);
      return said;
    }
    async function submit(args: object, investigation?: string): Promise<string> {
      const { error, results } = await call('diq-batch-submit', args, investigation ? { investigation } : {});
      assert.equal(error, undefined);
      return String(results?.[0]?.outputs['id']);
    }

    it('has one file for an upload, with the code in it', () => {
      const unified = new URL('integration-DefenderInvestigationQueue.yml', folder);
      const { script } = parse(readFileSync(unified, 'utf8')) as Integration;
      assert.deepEqual(script.commands, description.script.commands);
      const withoutImports = readFileSync(code, 'utf8').replaceAll(
        /^(?:import demisto|from Common).*\n/gm,
        '',
      );
      assert.equal(script.script, withoutImports);
      assert.match(withoutImports, /^import hashlib$/m);
    });

    it('tests its instance: the key, and what it may ask for', async () => {
      assert.deepEqual((await call('test-module')).results, ['ok']);
      assert.match(
        (await call('test-module', {}, { key: 'x' })).error ?? '',
        /^test-module: unauthenticated: /,
      );
    });

    it('submits, and waits by being called again until the batch has ended, with the id of each investigation', async () => {
      const [machine = '', other = ''] = machineIds(2);
      const comment = 'INC-4711: logon';
      const [batch, rejected] = await service.whilePaused(async () => {
        const machines = `${machine},${other},10.0.0.7`;
        const { results } = await call('diq-batch-submit', { machines, comment, priority: 'high' });
        const { outputs, readable_output: readable } = results?.[0] ?? lacking();
        assert.deepEqual(outputs['accepted'], { accepted: 2, coalesced: 0, rejected: 1 });
        assert.match(readable, /Rejected: 10\.0\.0\.7: machineName/);
        const waiting = (await call('diq-batch-wait', { batch_id: outputs['id'] })).results?.[0] ?? lacking();
        const { scheduled_command: again } = waiting;
        assert.deepEqual(
          [again?.command, again?.next_run_in_seconds, again?.timeout_in_seconds],
          ['diq-batch-wait', 300, 604_800],
        );
        return [again?.args ?? lacking(), outputs['rejected']];
      });
      assert.equal((rejected as { machine: string }[])[0]?.machine, '10.0.0.7');
      await service.api.untilCompleted(String(batch['batch_id']), 20_000);
      const { results, error } = await call('diq-batch-wait', batch);
      assert.equal(error, undefined);
      const [whole, items] = results ?? [];
      assert.equal(whole?.outputs['status'], 'completed');
      const found = items?.outputs as unknown as { machineId: string; investigationId: string }[];
      assert.deepEqual(
        found.map(({ machineId }) => machineId),
        [machine, other],
      );
      for (const { machineId, investigationId } of found)
        assert.equal(investigationId, await service.control.investigationOf(machineId));
    });

    it('gets its first batch again where a task is repeated, and another one for other machines, incident or step', async () => {
      const [one, other] = machineIds(2);
      const task = { machines: one, comment: 'repeated' };
      const first = await submit(task);
      assert.equal(await submit(task), first);
      const different = [
        await submit({ ...task, machines: other }),
        await submit(task, '4712'),
        await submit({ ...task, step: '2' }),
      ];
      assert.equal(new Set([first, ...different]).size, 4);
    });

    it('repeats what passes by itself, be it a 503 of the queue or a page of a proxy', async () => {
      const passing = [
        { status: 503, body: '{"code":"redis_unavailable"}' },
        { status: 502, type: 'text/html', body: '<h1>bad</h1>' },
      ];
      for (const answer of passing) {
        service.answerFirst(answer);
        assert.match(await submit({ machines: machineIds(1), comment: 'INC-1' }), /^[\da-f-]{36}$/);
      }
    });

    it('says what is wrong, with the field, and survives a page that is none of the queue', async () => {
      const refused = await call('diq-batch-submit', { machines: '10.0.0.7', comment: 'INC-1' });
      assert.match(refused.error ?? '', /^diq-batch-submit: no_acceptable_item: .*machineName/);
      service.answerFirst({ status: 403, type: 'text/html', body: '<h1>blocked</h1>' });
      const { error } = await call('diq-batch-get', { batch_id: 'x' });
      assert.equal(error, "diq-batch-get: HTTP 403, not from the queue: '<h1>blocked</h1>'");
    });

    it('cancels a batch, and a single request', async () => {
      await service.whilePaused(async () => {
        const machines = machineIds(2);
        const batch_id = await submit({ machines, comment: 'by mistake' });
        const { body } = await service.api.call('GET', `/v1/batches/${batch_id}/items`);
        const request_id = (body as { value: { id: string }[] }).value[0]?.id;
        const one = (await call('diq-request-cancel', { request_id, reason: 'by mistake' })).results?.[0];
        assert.equal(one?.outputs['status'], 'cancelled');
        const rest = (await call('diq-batch-cancel', { batch_id })).results?.[0];
        assert.deepEqual(rest?.outputs, { id: batch_id, cancelled: 1, alreadyDispatched: 0 });
        const shown = (await call('diq-request-get', { request_id })).results?.[0];
        assert.equal(shown?.outputs['status'], 'cancelled');
      });
    });
  });
}

interface Integration {
  script: {
    script: string;
    commands: {
      name: string;
      arguments: { name: string; required?: boolean; defaultValue?: string }[];
      outputs: { contextPath: string }[];
    }[];
  };
}

interface Result {
  outputs_prefix: string;
  outputs: Record<string, unknown>;
  readable_output: string;
  scheduled_command?: {
    command: string;
    next_run_in_seconds: number;
    timeout_in_seconds: number;
    args: Record<string, unknown>;
  };
}

interface Said {
  results?: Result[];
  error?: string;
}

function lacking(): never {
  throw new Error('nothing was handed back');
}

/** XSOAR fills in what the description gives as a default. */
function defaultsOf(command: string): object {
  const given = commands.get(command)?.arguments ?? [];
  return Object.fromEntries(
    given.flatMap(({ name, defaultValue }) => (defaultValue === undefined ? [] : [[name, defaultValue]])),
  );
}

/** What is handed back stands under a prefix that the description of the command names. */
function assertDescribed(command: string, { outputs_prefix: prefix, outputs }: Result): void {
  if (!outputs) return;
  const paths = commands.get(command)?.outputs.map(({ contextPath }) => contextPath) ?? [];
  for (const name of Object.keys(Array.isArray(outputs) ? {} : outputs)) {
    const path = `${prefix}.${name}`;
    const isNamed = paths.some((one) => one === path || one.startsWith(`${path}.`));
    assert.ok(
      isNamed || restOf[prefix]?.includes(name),
      `${command} hands back ${path}, which is not described`,
    );
  }
}

/** Handed back as the API has it, and not worth a line each. */
const restOf: Record<string, readonly string[]> = {
  'DefenderQueue.Batch': ['createdAt', 'startNotBefore'],
  'DefenderQueue.Request': [
    'batchId',
    'operation',
    'comment',
    'priority',
    'source',
    'correlation',
    'createdAt',
    'attempts',
    'endedAt',
  ],
};
