import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runDiq } from './run-diq.ts';

const tenant = { defaultOperation: 'isolate', operations: ['isolate'], isRemoved: false };
/** What the service says of itself and of the key; of its queues nothing can be read. */
const answers: Record<string, object> = {
  '/readyz': { status: 'ok', version: '9', checks: {} },
  '/v1/tenants': { value: ['contoso', 'fabrikam'].map((name) => ({ ...tenant, name })) },
};

describe('what doctor finds about a service whose queues cannot be read', () => {
  let server: Server;
  before(async () => {
    server = createServer(({ url = '' }, response) => {
      const body = answers[url.split('?')[0] ?? ''];
      response.writeHead(body ? 200 : 503, { 'Retry-After': '60' }).end(body && JSON.stringify(body));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => server.close());

  it('is all that can be seen, with a fault for each tenant, without waiting as long as the service asks', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { out, code } = await runDiq(['doctor', '--json'], { env: { DIQ_URL: url, DIQ_API_KEY: 'k' } });
    const findings = JSON.parse(out) as { check: string; state: string; detail: string }[];
    assert.deepEqual(
      findings.map(({ check, state }) => [check, state]),
      [
        ['address and key', 'ok'],
        ['service', 'ok'],
        ['clock', 'ok'],
        ['key', 'ok'],
        ['queue contoso', 'fault'],
        ['queue fabrikam', 'fault'],
      ],
    );
    assert.match(findings[5]?.detail ?? '', /could not be checked: http_503/);
    assert.equal(code, 1);
  });
});
