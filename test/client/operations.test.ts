import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient, type DiqClient, type TenantClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import { createOpenApiDocument } from '@diq/intake-api/openapi/create-document.ts';
import { definitions } from '@diq/intake-api/routes/index.ts';

const id = '01930000-0000-7000-8000-000000000000';
const machineId = 'a'.repeat(40);
const operation = 'initiateInvestigation';
const filter = {
  machineId,
  batchId: id,
  source: 'playbook',
  priority: 'high',
  correlation: { incident: 'INC-1' },
} as const;
const span = { from: '2026-11-01T00:00:00Z', to: '2026-12-01T00:00:00Z', limit: 7 };
const why = { reason: 'A test' };

/** What an operation of the document is called with, by its name there; with everything that it takes. */
const ofTenant: Record<string, (client: TenantClient) => unknown> = {
  submitRequest: (client) => client.submitRequest({ machineId, comment: 'x', operation }),
  listRequests: (client) =>
    all(
      client.listRequests({ ...filter, ...span, operation, status: ['queued', 'failed'], outcome: 'failed' }),
    ),
  getRequest: (client) => client.getRequest(id),
  getRequestResult: (client) => client.getRequestResult(id),
  getPackageOfRequest: (client) => client.getPackageOfRequest(id),
  getResultFileOfRequest: (client) => client.getResultFileOfRequest(id, 0),
  changeRequest: (client) => client.changeRequest(id, { priority: 'low', notAfter: null, ...why }),
  cancelRequest: (client) => client.cancelRequest(id, why),
  cancelRequests: (client) => client.cancelRequests({ ...filter, ...why, operation, cursor: 'c' }),
  retryRequests: (client) =>
    client.retryRequests({ ...filter, ...why, operation, cursor: 'c', status: 'failed', notAfter: null }),
  purgeRequests: (client) =>
    client.purgeRequests({ operation, batchId: id, caller: 'a', endedBefore: span.to, ...why }),
  moveToHeadOfRequests: (client) => client.moveToHead(id, why),
  retryRequest: (client) => client.retryRequest(id, why),
  submitBatch: (client) =>
    client.submitBatch({
      operation,
      requests: [{ machineId }],
      defaults: { comment: 'x' },
      callbackUrl: 'https://soar.example/hook',
    }),
  listBatches: (client) => {
    const { source, correlation } = filter;
    return all(client.listBatches({ ...span, operation, source, correlation, status: 'running' }));
  },
  getBatch: (client) => client.getBatch(id),
  listBatchItems: (client) => all(client.listBatchItems(id, { limit: 7 })),
  cancelBatch: (client) => client.cancelBatch(id, why),
  listOperations: (client) => client.listOperations({ operation }),
  getQuota: (client) => client.getQuota({ operation }),
  listNext: (client) => client.listNext({ operation, limit: 7 }),
  watchState: (client) => all(client.watchState({ operation })),
  pauseQueue: (client) => client.pauseQueue({ operation, ...why, until: span.to }),
  resumeQueue: (client) => client.resumeQueue({ operation, ...why }),
  listAudit: (client) => all(client.listAudit({ operation, limit: 7 })),
};

const ofService: Record<string, (client: DiqClient) => unknown> = {
  listTenants: (client) => all(client.listTenants({ limit: 7 })),
  listQueues: (client) => all(client.listQueues({ tenant: 'contoso', limit: 7 })),
  getLiveness: (client) => client.getLiveness(),
  getReadiness: (client) => client.getReadiness(),
  getMetrics: (client) => client.getMetrics(),
  getOpenApi: (client) => client.getOpenApi(),
  getOpenApi30: (client) => client.getOpenApi30(),
  getDocs: (client) => client.getDocs(),
};

/** Of a POST the client has a second method; of a list the links of pages have it. */
const leftOut = ['dryRun', 'cursor'];

async function all(values: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of values);
}

interface Sent {
  line: string;
  names: string[];
  fields: string[];
}

interface Operation {
  operationId: string;
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, { schema: object }> };
}

describe('the client', () => {
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as object;
      const names = [...new Set(searchParams.keys())];
      sent.push({ line: `${request.method} ${pathname}`, names, fields: Object.keys(body) });
      response.writeHead(400, { 'Content-Type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'invalid_request', title: 'no' }));
    });
  });
  let client: DiqClient;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = createClient({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      credential: 'k',
    });
  });
  after(() => server.close());

  const { paths = {}, components } = createOpenApiDocument(definitions);
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      line: `${method.toUpperCase()} ${path}`,
      ...(described as Operation),
    })),
  );

  // `/v1/requests` has each operation of `/v1/investigations`, and takes more.
  for (const described of operations.filter(({ line }) => !line.includes('/investigations'))) {
    const { operationId, line } = described;
    const name = operationId.replace(/OfTenant$/, '');
    it(`has a method for ${operationId} that sends all that it takes`, async () => {
      const isOfTenant = line.includes('/tenants/{tenant}');
      const call = () =>
        isOfTenant
          ? ofTenant[name]?.(client.ofTenant('contoso'))
          : (ofTenant[name] ?? ofService[name])?.(client);
      sent.length = 0;
      await assert.rejects(async () => call(), DiqError);
      const [first, ...others] = sent;
      assert.deepEqual(others, [], 'a 400 is no reason to ask again');
      const expected = line.replace('{tenant}', 'contoso').replace('{id}', id).replace('{index}', '0');
      assert.equal(first?.line, expected);
      const queries = (described.parameters ?? []).filter((one) => one.in === 'query');
      const named = queries.map((one) => one.name.replace('<key>', 'incident'));
      assert.deepEqual(first?.names.toSorted(), named.filter((one) => !leftOut.includes(one)).toSorted());
      const wanted = fieldsOf(described.requestBody?.content['application/json']?.schema);
      // Of an item each field is there by its type.
      if (operationId.startsWith('submitRequest')) assert.ok(wanted.includes('operation'));
      else assert.deepEqual(first?.fields.toSorted(), wanted.toSorted());
    });
  }

  it('has no method for what is gone', () => {
    const named = new Set(operations.map(({ operationId }) => operationId));
    for (const name of [...Object.keys(ofTenant), ...Object.keys(ofService)])
      assert.ok(named.has(name), name);
  });

  function fieldsOf(schema: object | undefined): string[] {
    const reference = schema && '$ref' in schema ? String(schema.$ref).split('/').at(-1) : undefined;
    const found = reference === undefined ? schema : components?.schemas?.[reference];
    return Object.keys(found && 'properties' in found ? (found.properties ?? {}) : {});
  }
});
