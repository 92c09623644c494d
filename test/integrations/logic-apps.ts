import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { machineIds } from '../end-to-end/support/stack.ts';
import type { Service } from './support/service.ts';

const file = new URL('../../examples/integrations/logic-apps/apiDefinition.swagger.json', import.meta.url);
const connector = JSON.parse(readFileSync(file, 'utf8')) as Connector;
const actions = Object.entries(connector.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, action]) => ({ path, method, ...action })),
);

/** Those of Microsoft for custom connectors, as far as they can be seen in the file. */
describe('the connector for Logic Apps', () => {
  it('is valid OpenAPI 2.0, below 1 MB, over https to one host', async () => {
    const validator = new Validator();
    assert.deepEqual(await validator.validate({ ...connector }), { valid: true });
    assert.equal(validator.version, '2.0');
    assert.ok(statSync(file).size < 1_000_000);
    assert.deepEqual([connector.schemes, connector.host], [['https'], 'queue.example.com']);
  });

  it('uses nothing that connectors do not know, and one kind of credential', () => {
    assert.doesNotMatch(
      JSON.stringify(connector),
      /"(?:oneOf|anyOf|allOf|not|nullable|const|\$defs|components)":/,
    );
    assert.deepEqual(Object.values(connector.securityDefinitions), [
      { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    ]);
  });

  it('names each action in letters, once, with a summary and a sentence, and titles for all that is filled in', () => {
    assert.equal(new Set(actions.map(({ operationId }) => operationId)).size, actions.length);
    for (const { operationId, summary, description, parameters, responses } of actions) {
      assert.match(operationId, /^[A-Z][A-Za-z]+$/);
      assert.match(summary, /^[A-Z][^.]*[^.]$/);
      assert.match(description, /[.]$/);
      for (const parameter of parameters)
        assert.ok(parameter['x-ms-summary'], `${operationId} ${parameter.name}`);
      assert.deepEqual(Object.keys(responses).length, 2, `${operationId} has one success`);
    }
    for (const schema of Object.values(connector.definitions))
      for (const [name, field] of Object.entries(schema.properties ?? {}))
        assert.ok(field.$ref ?? field['x-ms-summary'], name);
  });
});

export function describeLogicApps(service: Service): void {
  describe('the connector for Logic Apps, at the service', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'connector', definitions: inJsonSchema(connector.definitions) as object });

    /** Calls an action with what was filled in, as the file has it; its answer must be what the file says. */
    async function run(
      operationId: string,
      filled: Record<string, string>,
      posted?: object,
    ): Promise<Answer> {
      const action = actions.find((one) => one.operationId === operationId);
      assert.ok(action, operationId);
      const { path, method, parameters, responses } = action;
      const given = [...Object.keys(filled), ...(posted ? ['body'] : [])];
      assert.deepEqual(
        given.filter((name) => !parameters.some((one) => one.name === name)),
        [],
      );
      const of = (place: string) =>
        Object.fromEntries(
          parameters
            .filter((one) => one.in === place && given.includes(one.name))
            .map(({ name }) => [name, filled[name] ?? '']),
        );
      const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
        encodeURIComponent(of('path')[name] ?? ''),
      );
      const query = new URLSearchParams(of('query')).toString();
      const answer = await fetch(`${service.url}${target}${query && `?${query}`}`, {
        method: method.toUpperCase(),
        headers: {
          [connector.securityDefinitions['API Key']?.name ?? '']: service.key,
          ...of('header'),
          ...(posted ? { 'Content-Type': connector.consumes[0] ?? '' } : {}),
        },
        ...(posted ? { body: JSON.stringify(posted) } : {}),
      });
      const body = (await answer.json()) as Answer['body'];
      const described = responses[answer.status] ?? responses['default'];
      const validate = ajv.compile(inJsonSchema(described?.schema) as object);
      assert.ok(validate(body), `${operationId} ${answer.status}: ${ajv.errorsText(validate.errors)}`);
      return { status: answer.status, body };
    }

    it('submits a batch once, follows it to its end and lists its items', async () => {
      const [machine = '', other = ''] = machineIds(2);
      const body = {
        defaults: { comment: 'INC-4711' },
        requests: [{ machineId: machine }, { machineId: other }, { machineId: 'x' }],
      };
      const first = await run('SubmitBatch', { 'Idempotency-Key': 'flow-1' }, body);
      assert.deepEqual(first.body['counts'], { accepted: 2, coalesced: 0, rejected: 1 });
      const id = String(first.body['id']);
      assert.equal((await run('SubmitBatch', { 'Idempotency-Key': 'flow-1' }, body)).body['id'], id);
      await service.api.untilCompleted(id, 20_000);
      assert.equal((await run('GetBatch', { id })).body['status'], 'completed');
      const { body: page } = await run('ListBatchItems', { id, limit: '10' });
      const items = page['value'] as { status: string }[];
      assert.deepEqual(
        items.map(({ status }) => status),
        ['started', 'started', 'rejected'],
      );
    });

    it('submits, shows and cancels one request, cancels a batch, and shows the quota', async () => {
      await service.whilePaused(async () => {
        const [machine = '', other = ''] = machineIds(2);
        const asked = await run('SubmitRequest', {}, { machineId: machine, comment: 'INC-1' });
        const id = String(asked.body['id']);
        assert.equal((await run('GetRequest', { id })).body['status'], 'queued');
        assert.equal((await run('CancelRequest', { id, reason: 'by mistake' })).body['status'], 'cancelled');
        const batch = await run(
          'SubmitBatch',
          {},
          { defaults: { comment: 'INC-1' }, requests: [{ machineId: other }] },
        );
        assert.equal((await run('CancelBatch', { id: String(batch.body['id']) })).body['cancelled'], 1);
        assert.equal((await run('GetQuota', {})).body['operation'], 'initiateInvestigation');
      });
    });

    it('gets a problem where something is wrong', async () => {
      const { status, body } = await run('SubmitRequest', {}, { machineId: 'x', comment: 'INC-1' });
      assert.deepEqual([status, body['code']], [400, 'invalid_request']);
    });
  });
}

/** What `x-nullable` means, and without the boolean bounds of the older JSON Schema. */
function inJsonSchema(schema: unknown): unknown {
  return JSON.parse(
    JSON.stringify(schema, (_, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('type' in value)) return value;
      const { exclusiveMinimum: _bound, ...rest } = value as Record<string, unknown>;
      return 'x-nullable' in rest ? { ...rest, type: [rest['type'], 'null'] } : rest;
    }).replaceAll('"#/definitions/', '"connector#/definitions/'),
  );
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

interface Schema {
  $ref?: string;
  'x-ms-summary'?: string;
  properties?: Record<string, Schema>;
}

interface Action {
  operationId: string;
  summary: string;
  description: string;
  parameters: { in: string; name: string; 'x-ms-summary'?: string }[];
  responses: Record<string, { schema: Schema }>;
}

interface Connector {
  schemes: string[];
  host: string;
  consumes: string[];
  paths: Record<string, Record<string, Action>>;
  definitions: Record<string, Schema>;
  securityDefinitions: Record<string, { name: string }>;
}
