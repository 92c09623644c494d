import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { machineIds } from '../end-to-end/support/stack.ts';
import { requirePython, runPythonCode } from './support/run-python.ts';
import type { Service } from './support/service.ts';

/** The fields of a step, as its page has them. */
type Step = Record<string, unknown>;

/** What steps know of the platform and of the steps before. */
type Known = Record<string, unknown>;

interface Call {
  url: string;
  method: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Each page of a recipe is read: what it says is done, with the fields that it says. */
export function describeRecipes(service: Service): void {
  async function make({ url, body, ...call }: Call): Promise<Record<string, unknown>> {
    const answer = await fetch(url, { ...call, ...(body !== undefined && { body }) });
    return { status: answer.status, body: await answer.json() };
  }

  /** Submits as the recipe says, once more, and reads batch and items to the end. */
  async function follow(
    steps: Steps,
    known: Known,
    callOf: (step: Step, known: Known) => Promise<Call> | Call,
  ) {
    const run = async (name: string) => make(await callOf(stepOf(steps, name), known));
    known['submit_batch'] = await run('submit_batch');
    assert.equal(at(known, 'submit_batch.status'), 202, JSON.stringify(known['submit_batch']));
    const again = await run('submit_batch');
    const id = at(known, 'submit_batch.body.id');
    assert.equal(at(again, 'body.id'), id, 'a repeat gets the first batch');
    await service.api.untilCompleted(String(id), 20_000);
    assert.equal(at(await run('get_batch'), 'body.status'), 'completed');
    const items = at(await run('list_items'), 'body.value') as { machineId: string; status: string }[];
    return items.map(({ machineId, status }) => `${machineId} ${status}`);
  }

  describe('the recipe for Splunk SOAR', () => {
    const { page, steps } = readRecipe('splunk-soar');
    before('look for python3', requirePython());

    it('makes body and headers, submits once, follows the batch, and cancels', async () => {
      const [machine = ''] = machineIds(1);
      const [, code = ''] = /```python\n([\s\S]*?)```/.exec(page) ?? [];
      const given = `import hashlib, json\ncontainer_artifact_cef_item_0 = [${JSON.stringify(machine)}, None]\ncontainer_id_value = 17\n`;
      const shown = 'print(json.dumps({"body": build_request__body, "headers": build_request__headers}))\n';
      const made = JSON.parse(await runPythonCode(given + code + shown)) as Known;
      const known: Known = { build_request: made };
      const filled = (field: unknown): string => {
        if (!Array.isArray(field)) return String(field);
        const [template = '', path = ''] = field as string[];
        // What the app calls `parsed_response_body` is the answer's body.
        const inSteps = path
          .replace(':action_result.data.*.parsed_response_body', '.body')
          .replace(':custom_function:', '.');
        const value = at(known, inSteps);
        return template.replace('{0}', () => String(value));
      };
      const callOf = ({ action, location, headers, body }: Step): Call => ({
        method: String(action).replace(' data', '').toUpperCase(),
        url: service.url + filled(location),
        headers: {
          'X-API-Key': service.key,
          ...(headers === undefined ? {} : (JSON.parse(filled(headers)) as Record<string, string>)),
        },
        ...(body === undefined ? {} : { body: filled(body) }),
      });
      assert.deepEqual(await follow(steps, known, callOf), [`${machine} started`]);
      assert.equal(at(await make(callOf(stepOf(steps, 'cancel_batch'))), 'body.cancelled'), 0);
    });
  });

  describe('the recipe for Shuffle', () => {
    const { steps } = readRecipe('shuffle');
    before('look for python3', requirePython());

    it('submits once, with a body that the app can read, and follows the batch', async () => {
      const requests = machineIds(2).map((machineId) => ({ machineId }));
      const exec = { ...stepOf(steps, 'exec'), requests };
      const known: Known = { queue_url: service.url, queue_key: service.key, exec };
      const filled = (field: unknown) =>
        String(field).replaceAll(/\$([a-z_]+(?:\.[a-z_]+)*)/g, (_, path: string) => {
          const value = at(known, path);
          return typeof value === 'string' ? value : JSON.stringify(value);
        });
      const callOf = async ({ url, headers, body, timeout, verify }: Step): Promise<Call> => {
        assert.deepEqual([timeout, verify], ['30', 'true']);
        const lines = filled(headers)
          .split('\n')
          .map((line) => line.split(/:\s*(.*)/));
        return {
          method: body === undefined ? 'GET' : 'POST',
          url: filled(url),
          headers: Object.fromEntries(lines) as Record<string, string>,
          ...(body === undefined ? {} : { body: await asTheAppReads(filled(body)) }),
        };
      };
      assert.deepEqual(
        await follow(steps, known, callOf),
        requests.map(({ machineId }) => `${machineId} started`),
      );
    });

    function asTheAppReads(body: string): Promise<string> {
      return runPythonCode(
        `import ast, json\nprint(json.dumps(ast.literal_eval(${JSON.stringify(body)})))\n`,
      );
    }
  });

  describe('the recipe for Tines', () => {
    const { steps } = readRecipe('tines');

    it('submits once, and follows the batch', async () => {
      const requests = machineIds(2).map((machineId) => ({ machineId }));
      const incident = stepOf(steps, 'incident')['body'] as object;
      const known: Known = {
        RESOURCE: { queue_url: service.url },
        CREDENTIAL: { queue_key: service.key },
        incident: { body: { ...incident, requests } },
      };
      const filled = (value: unknown): unknown => {
        if (typeof value === 'string' && value.startsWith('=')) return at(known, value.slice(1));
        if (typeof value === 'string')
          return value.replaceAll(/<<([^>]+)>>/g, (_, path: string) => String(at(known, path)));
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
        return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one)]));
      };
      const callOf = (step: Step): Call => {
        const { url, method, headers, payload } = filled(step) as Call & { payload?: object };
        const json = { 'Content-Type': 'application/json; charset=utf-8' };
        return {
          url,
          method: method.toUpperCase(),
          headers: { ...headers, ...(step['content_type'] === 'json' ? json : {}) },
          ...(payload && { body: JSON.stringify(payload) }),
        };
      };
      assert.deepEqual(
        await follow(steps, known, callOf),
        requests.map(({ machineId }) => `${machineId} started`),
      );
    });
  });
}

type Steps = Record<string, Step>;

function stepOf(steps: Steps, name: string): Step {
  const step = steps[name];
  assert.ok(step, `the page has no step ${name}`);
  return step;
}

/** A page with its steps: the blocks of JSON that are named as one. */
function readRecipe(platform: string): { page: string; steps: Steps } {
  const page = readFileSync(
    new URL(`../../examples/integrations/${platform}/README.md`, import.meta.url),
    'utf8',
  );
  const found = [...page.matchAll(/^```json step (\w+)\n([\s\S]*?)^```$/gm)];
  return {
    page,
    steps: Object.fromEntries(found.map(([, name = '', text = '']) => [name, JSON.parse(text) as Step])),
  };
}

function at(whole: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => {
    assert.ok(typeof value === 'object' && value !== null && name in value, `no ${name} in ${path}`);
    return (value as Known)[name];
  }, whole);
}
