import assert from 'node:assert/strict';

import {
  clientId,
  type OpenSimulator,
  openSimulator,
  stoppedClock,
  tenantId,
  tokenForm,
  tokenPath,
} from '../../test/open-simulator.ts';

describe('Entra ID', () => {
  const clock = stoppedClock('2026-11-01T10:00:00.250Z');
  let simulator: OpenSimulator;

  before(async () => {
    simulator = await openSimulator(
      { federatedAssertion: 'federated', tokenLifetimeS: 60, tlsNames: ['simulator'] },
      clock,
    );
  });
  after(() => simulator.close());

  it('gives a bearer token that lives as long as it says', async () => {
    const { status, headers, json } = await simulator.send(tokenPath, tokenForm());
    assert.equal(status, 200);
    assert.match(headers['cache-control'] ?? '', /no-store/);
    const { access_token: token, ...rest } = json;
    assert.deepEqual(rest, { token_type: 'Bearer', expires_in: 60, ext_expires_in: 0 });

    clock.advance(59_999);
    assert.equal((await simulator.start(token)).status, 200);
    clock.advance(1);
    assert.equal((await simulator.start(token)).status, 401);
  });

  it('gives another token each time', async () => {
    assert.notEqual(await simulator.token(), await simulator.token());
  });

  it('takes the federated assertion', async () => {
    assert.equal((await simulator.send(tokenPath, tokenForm(assertion('federated')))).status, 200);
  });

  const refusals: [string, Record<string, string | undefined>, number, string, number][] = [
    ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 7000215],
    ['no credential', { client_secret: undefined }, 401, 'invalid_client', 7000218],
    ['an unknown application', { client_id: 'someone-else' }, 400, 'unauthorized_client', 700016],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type', 70003],
    ['no grant', { grant_type: undefined }, 400, 'invalid_request', 900144],
    ['no scope', { scope: undefined }, 400, 'invalid_request', 900144],
    [
      'a scope without /.default',
      { scope: 'https://api.securitycenter.microsoft.com' },
      400,
      'invalid_scope',
      1002012,
    ],
    ['another resource', { scope: 'https://graph.microsoft.com/.default' }, 400, 'invalid_resource', 500011],
    ['another assertion', assertion('forged'), 400, 'invalid_request', 70021],
    ['an assertion of another type', assertion('federated', 'saml'), 400, 'invalid_request', 900144],
  ];
  for (const [what, changes, status, error, code] of refusals) {
    it(`refuses ${what} with AADSTS${code}`, async () => {
      const reply = await simulator.send(tokenPath, tokenForm(changes));
      assert.equal(reply.status, status);
      assert.equal(reply.json.error, error);
      assert.deepEqual(reply.json.error_codes, [code]);
      assert.ok(reply.json.error_description.startsWith(`AADSTS${code}: `));
    });
  }

  it('refuses an unknown tenant with AADSTS90002', async () => {
    const reply = await simulator.send(`/other/oauth2/v2.0/token`, tokenForm());
    assert.deepEqual([reply.status, reply.json.error_codes], [400, [90002]]);
  });

  it('puts the tracking fields into an error and never the secret', async () => {
    const form = tokenForm({ client_secret: 'a-mistyped-secret' });
    const correlationId = 'c0ffee00-0000-4000-8000-000000000000';
    const reply = await simulator.send(tokenPath, {
      ...form,
      headers: { ...form.headers, 'client-request-id': correlationId },
    });
    assert.deepEqual(Object.keys(reply.json), [
      'error',
      'error_description',
      'error_codes',
      'timestamp',
      'trace_id',
      'correlation_id',
    ]);
    assert.equal(reply.json.correlation_id, correlationId);
    assert.match(reply.json.timestamp, /^2026-11-01 10:01:00Z$/);
    assert.doesNotMatch(reply.text, /mistyped/);
  });

  it('describes itself under the name by which it was reached', async () => {
    const path = `/${tenantId}/v2.0/.well-known/openid-configuration`;
    const { json } = await simulator.send(path, { headers: { host: 'simulator:8443' } });
    assert.equal(json.token_endpoint, `https://simulator:8443${tokenPath}`);
    assert.equal(json.issuer, `https://simulator:8443/${tenantId}/v2.0`);
    assert.equal((await simulator.send('/other/v2.0/.well-known/openid-configuration')).status, 400);
    const instance = await simulator.send('/common/discovery/instance?api-version=1.1');
    assert.ok(instance.json.tenant_discovery_endpoint.endsWith(path));
  });

  it('logs each request with its credential, never with the secret', async () => {
    await simulator.control('/token-requests', undefined, 'DELETE');
    await simulator.token();
    await simulator.send(tokenPath, tokenForm({ client_secret: 'wrong' }));
    const { json, text } = await simulator.control('/token-requests?wait=2');
    assert.deepEqual(
      json.tokenRequests.map(({ seq, tenant, clientId, credential, status }: Record<string, unknown>) => {
        return { seq, tenant, clientId, credential, status };
      }),
      [
        { seq: 1, tenant: tenantId, clientId, credential: 'secret', status: 200 },
        { seq: 2, tenant: tenantId, clientId, credential: 'secret', status: 401 },
      ],
    );
    assert.doesNotMatch(text, /wrong|the-secret/);
  });
});

function assertion(
  value: string,
  type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
): Record<string, string | undefined> {
  return { client_secret: undefined, client_assertion: value, client_assertion_type: type };
}
