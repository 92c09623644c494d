import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds } from '../end-to-end/support/stack.ts';
import { requirePython, runPython } from './support/run-python.ts';
import type { Service } from './support/service.ts';

const folder = new URL('../../examples/integrations/cortex/', import.meta.url);

export function describeCortex(service: Service): void {
  describe('the Cortex responder', () => {
    before('look for python3 with requests', requirePython());

    /** Runs a flavor on an observable, as Cortex does: with its own configuration and the one that was filled in. */
    async function run(flavor: Flavor, observable: object, more: { config?: object; viaFolder?: true } = {}) {
      const { command, config, dataTypeList } = flavorOf(flavor);
      const job = {
        dataType: dataTypeList[0],
        data: { dataType: 'hostname', case: { number: 4711, title: 'Beaconing' }, ...observable },
        config: { ...config, url: service.url, api_key: service.key, ...more.config },
      };
      const program = new URL(command, folder);
      if (!more.viaFolder) {
        const { output, complaint, code } = await runPython(program, { input: JSON.stringify(job) });
        assert.ok(output !== '', complaint);
        return { code, report: JSON.parse(output) as Report };
      }
      const place = await mkdtemp(join(tmpdir(), 'cortex-'));
      try {
        await mkdir(join(place, 'input'));
        await writeFile(join(place, 'input/input.json'), JSON.stringify(job));
        const { code } = await runPython(program, { args: [place] });
        return {
          code,
          report: JSON.parse(await readFile(join(place, 'output/output.json'), 'utf8')) as Report,
        };
      } finally {
        await rm(place, { recursive: true });
      }
    }

    it('has flavors that name their program and what it needs', () => {
      for (const flavor of ['Submit', 'Status'] as const) {
        const { command, configurationItems } = flavorOf(flavor);
        assert.ok(existsSync(new URL(command, folder)));
        const required = configurationItems.filter((item) => item.required).map(({ name }) => name);
        assert.deepEqual(required, ['url', 'api_key']);
      }
    });

    it('asks for what an observable names, once however often it is run, and says where it stands to its end', async () => {
      const [machine = ''] = machineIds(1);
      const observable = { _id: `~${randomUUID()}`, data: machine, dataType: 'other' };
      const id = await service.whilePaused(async () => {
        const { report } = await run('Submit', observable, { viaFolder: true });
        const { message = '', request } = report.full ?? {};
        assert.match(message, /^Request [\da-f-]+ is queued/);
        assert.deepEqual(report.operations, [{ type: 'AddTagToArtifact', tag: 'DefenderQueue:queued' }]);
        const again = await run('Submit', observable);
        assert.equal(again.report.full?.request.id, request?.id);
        return request?.id ?? '';
      });
      await waitFor(async () => (await service.api.findRequest(id)).status === 'started', {
        what: 'the call',
        timeoutMs: 20_000,
      });
      const { report } = await run('Status', observable);
      const investigation = await service.control.investigationOf(machine);
      assert.ok(report.full?.message.includes(`investigation ${investigation}`), report.full?.message);
      assert.equal(report.full?.request.correlation['case'], '4711');
      assert.deepEqual(report.operations, [{ type: 'AddTagToArtifact', tag: 'DefenderQueue:started' }]);
    });

    it('asks for another operation with its parameters, of a machine by its name', async () => {
      const config = { operation: 'runAntiVirusScan', parameters: '{"scanType":"Quick"}' };
      const observable = { _id: '~2', data: 'wks-9.contoso.example' };
      const { report } = await run('Submit', observable, { config });
      assert.deepEqual(
        [report.full?.request.operation, report.full?.request.machineName],
        ['runAntiVirusScan', 'wks-9.contoso.example'],
      );
    });

    it('ends with what is wrong, and never with the key', async () => {
      const refused = await run('Submit', { _id: '~3', data: '10.0.0.7', dataType: 'ip' });
      assert.equal(refused.code, 1);
      assert.match(refused.report.errorMessage ?? '', /^invalid_request: .*machineName must be a DNS name/);
      assert.ok(!JSON.stringify(refused.report).includes(service.key));
      service.answerFirst({ status: 403, type: 'text/html', body: '<h1>blocked</h1>' });
      const { report } = await run('Status', { _id: '~4', data: 'x' });
      assert.equal(report.errorMessage, "HTTP 403, not from the queue: '<h1>blocked</h1>'");
    });
  });
}

type Flavor = 'Submit' | 'Status';

function flavorOf(flavor: Flavor) {
  const name = `DefenderInvestigationQueue/DefenderInvestigationQueue_${flavor}.json`;
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as {
    command: string;
    config: object;
    dataTypeList: string[];
    configurationItems: { name: string; required: boolean }[];
  };
}

interface Report {
  success: boolean;
  errorMessage?: string;
  full?: {
    message: string;
    request: { id: string; operation?: string; machineName?: string; correlation: Record<string, string> };
  };
  operations?: object[];
}
