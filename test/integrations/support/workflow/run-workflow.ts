import assert from 'node:assert/strict';
import { asText, evaluate, type Functions } from './expression.ts';

/** Of an action, as Logic Apps has them. */
type Status = 'Succeeded' | 'Failed' | 'Skipped' | 'TimedOut';
type Actions = Record<string, Action>;

export interface Action {
  type: string;
  runAfter: Record<string, Status[]>;
  inputs?: Record<string, unknown>;
  expression?: unknown;
  actions?: Actions;
  else?: { actions: Actions };
  limit?: { count: number };
  operationOptions?: string;
}

/** What the run of a workflow is in, and what it does to it. */
export interface World {
  parameters: Record<string, unknown>;
  trigger: unknown;
  runName: string;
  /** What an action of a connection answers. */
  connection: (inputs: Record<string, unknown>) => unknown;
  /** In place of a delay. */
  wait: () => Promise<void>;
}

/** Runs the actions of a workflow by their `runAfter`; resolves to the status of each. Its HTTP actions are really made. */
export async function runWorkflow(all: Actions, world: World): Promise<Record<string, Status>> {
  const bodies: Record<string, unknown> = {};
  const statuses: Record<string, Status> = {};

  const functionsOf = (item?: unknown): Functions => ({
    triggerBody: () => world.trigger,
    body: (name) => bodies[String(name)],
    parameters: (name) => world.parameters[String(name)],
    workflow: () => ({ run: { name: world.runName } }),
    item: () => item,
    not: (value) => value !== true,
    empty: (value) => asText(value) === '',
    length: (value) => (value as unknown[]).length,
    equals: (one, other) => one === other,
    coalesce: (...values) => values.find((one) => one !== null && one !== undefined),
    concat: (...values) => values.map(asText).join(''),
    string: asText,
    take: (text, count) => asText(text).slice(0, Number(count)),
  });
  const valueOf = (value: unknown, item?: unknown) => evaluate(value, functionsOf(item));

  /** Each once all that it runs after have ended; skipped where one of them ended in another way than is named. */
  async function runAll(actions: Actions): Promise<void> {
    const left = new Map(Object.entries(actions));
    while (left.size > 0) {
      const next = [...left].find(([, { runAfter }]) =>
        Object.keys(runAfter).every((name) => !left.has(name)),
      );
      assert.ok(next, `${[...left.keys()].join(', ')} run after each other, or after what is not there`);
      const [name, action] = next;
      left.delete(name);
      const runs = Object.entries(action.runAfter).every(([before, ends]) =>
        ends.includes(statuses[before] ?? 'Skipped'),
      );
      statuses[name] = runs ? await run(name, action) : 'Skipped';
    }
  }

  async function run(name: string, action: Action): Promise<Status> {
    const { type, inputs = {} } = action;
    switch (type) {
      case 'ApiConnection':
        bodies[name] = world.connection(valueOf(inputs) as Record<string, unknown>);
        return 'Succeeded';
      case 'Http':
        return makeCall(name, action);
      case 'Query':
        bodies[name] = listOf(inputs).filter((item) => valueOf(inputs['where'], item) === true);
        return 'Succeeded';
      case 'Select':
        bodies[name] = listOf(inputs).map((item) => valueOf(inputs['select'], item));
        return 'Succeeded';
      case 'Table':
        bodies[name] = tableOf(inputs);
        return 'Succeeded';
      case 'If':
        await runAll((isTrue(action.expression) ? action.actions : action.else?.actions) ?? {});
        return 'Succeeded';
      case 'Until':
        for (let count = 0; count < (action.limit?.count ?? 60); count += 1) {
          await runAll(action.actions ?? {});
          if (valueOf(action.expression) === true) return 'Succeeded';
        }
        return 'TimedOut';
      case 'Wait':
        await world.wait();
        return 'Succeeded';
      default:
        throw new Error(`no action of the type ${type}`);
    }
  }

  async function makeCall(name: string, { inputs = {}, operationOptions }: Action): Promise<Status> {
    const { method, uri, headers, body } = valueOf(inputs) as {
      method: string;
      uri: string;
      headers: Record<string, string>;
      body?: object;
    };
    const answer = await fetch(uri, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    bodies[name] = await answer.json();
    // Logic Apps would follow it, and the action end with what stands there.
    assert.ok(
      answer.status !== 202 || operationOptions === 'DisableAsyncPattern',
      `${name} would follow Location`,
    );
    return answer.ok ? 'Succeeded' : 'Failed';
  }

  const listOf = ({ from }: Record<string, unknown>) => valueOf(from) as unknown[];

  function tableOf(inputs: Record<string, unknown>): string {
    const columns = inputs['columns'] as { header: string; value: string }[];
    const rowOf = (tag: string, cells: string[]) =>
      `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;
    const rows = listOf(inputs).map((item) =>
      rowOf(
        'td',
        columns.map(({ value }) => asText(valueOf(value, item))),
      ),
    );
    return `<table>${rowOf(
      'th',
      columns.map(({ header }) => header),
    )}${rows.join('')}</table>`;
  }

  /** Of the conditions that there are, those of the playbook. */
  function isTrue(expression: unknown): boolean {
    const { and } = expression as { and: { greater: [unknown, number] }[] };
    return and.every(({ greater: [value, least] }) => Number(valueOf(value)) > least);
  }

  await runAll(all);
  return statuses;
}
