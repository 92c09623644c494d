import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usualOperationNames } from '@diq/contracts/operations.ts';
import { SettingsError, type Env } from '@diq/runtime/settings/read-settings.ts';
import { parseRedisUrl } from '@diq/redis/redis-address.ts';
import { readWorkerConfig } from './config.ts';

const secret = 'Abc~very.secret_value-123';
const redisPassword = 'redis-very-secret';
const withoutCredential = {
  REDIS_URL: `redis://:${redisPassword}@127.0.0.1:6379`,
  AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
  AZURE_CLIENT_ID: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
};
const complete = { ...withoutCredential, AZURE_CLIENT_SECRET: secret };

function faultsOf(env: Env): readonly string[] {
  try {
    readWorkerConfig(env);
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    assert.ok(
      !error.message.includes(secret) && !error.message.includes(redisPassword),
      'a secret is in the message',
    );
    return error.faults;
  }
  return assert.fail('these settings were accepted');
}

function quotaOf(env: Env): number[] {
  const [tenant] = readWorkerConfig({ ...complete, ...env }).tenants;
  const { limits = [] } = tenant?.operations.get(tenant.defaultOperation) ?? {};
  return limits.flatMap(({ calls, windowMs }) => [calls, windowMs]);
}

function credentialOf(env: Env) {
  return readWorkerConfig({ ...withoutCredential, ...env }).tenants[0]?.access.credential;
}

/** The names of the settings at fault, in the order in which they are reported. */
function faulty(env: Env): string[] {
  return faultsOf(env).map((fault) => fault.split(':')[0] ?? '');
}

describe('the worker configuration', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'diq-worker-config-'));
  });
  after(() => rm(dir, { recursive: true }));

  async function fileWith(content: string): Promise<string> {
    const path = join(dir, `secret-${Math.random()}`);
    await writeFile(path, content);
    return path;
  }

  it('takes a secret without the line end that came along with it, from the environment as from a file', async () => {
    const expected = { kind: 'secret', secret };
    for (const end of ['\n', '\r\n', ' ', '\uFEFF']) {
      assert.deepEqual(credentialOf({ AZURE_CLIENT_SECRET: `${secret}${end}` }), expected);
      assert.deepEqual(
        credentialOf({ AZURE_CLIENT_SECRET_FILE: await fileWith(`${secret}${end}`) }),
        expected,
      );
    }
    const path = '/run/secrets/certificate.pem';
    assert.deepEqual(credentialOf({ AZURE_CLIENT_CERTIFICATE_PATH: `${path}\n` }), {
      kind: 'certificate',
      path,
    });
    assert.deepEqual(faulty({ ...withoutCredential, AZURE_CLIENT_SECRET: 'line\nend' }), [
      'AZURE_CLIENT_SECRET',
    ]);
    const file = await fileWith('line\nend');
    assert.deepEqual(faulty({ ...withoutCredential, AZURE_CLIENT_SECRET_FILE: file }), [
      'AZURE_CLIENT_SECRET',
    ]);
  });

  it('refuses to start where Node checks no certificates, and to leave the check to a parameter of Redis', () => {
    assert.deepEqual(faulty({ ...complete, NODE_TLS_REJECT_UNAUTHORIZED: '0' }), [
      'NODE_TLS_REJECT_UNAUTHORIZED',
    ]);
    for (const parameter of ['rejectUnauthorized=false', 'tls=insecure', 'ssl_cert_reqs=none'])
      assert.deepEqual(faulty({ ...complete, REDIS_URL: `rediss://redis.example?${parameter}` }), [
        'REDIS_URL',
      ]);
  });

  it('reports what is wrong with the credential together with all other faults', () => {
    assert.throws(
      () => readWorkerConfig({ ...complete, WORKER_PORT: 'x' }, ['AZURE_CLIENT_CERTIFICATE_PATH: expired']),
      /WORKER_PORT: [^]*AZURE_CLIENT_CERTIFICATE_PATH: expired/,
    );
  });

  it('refuses an address that names a part of the API, to which the rest would be added', () => {
    for (const path of ['/api', '/API/', '/api/v1.0', '/gateway/api', '/api/machines', '/v1.0']) {
      const faults = faultsOf({ ...complete, DEFENDER_BASE_URL: `https://defender.example${path}` });
      assert.equal(faults.length, 1, path);
      assert.match(faults[0] ?? '', /^DEFENDER_BASE_URL: names a part of the API \(expected /);
    }
    for (const path of ['', '/', '/defender', '/apis', '/capi/defender']) {
      readWorkerConfig({ ...complete, DEFENDER_BASE_URL: `https://defender.example${path}` });
    }
  });

  it('needs only Redis, tenant, application and credential; the rest is the documented default', () => {
    assert.deepEqual(readWorkerConfig(complete), {
      tenants: [
        {
          name: 'default',
          tenantId: complete.AZURE_TENANT_ID,
          defaultOperation: 'initiateInvestigation',
          operations: new Map([
            ['initiateInvestigation', { limits: [{ calls: 5, windowMs: 3_600_000 }], reserveForCritical: 0 }],
          ]),
          access: {
            clientId: complete.AZURE_CLIENT_ID,
            credential: { kind: 'secret', secret },
            authorityHost: 'https://login.microsoftonline.com',
            baseUrl: 'https://api.securitycenter.windows.com',
            scope: 'https://api.securitycenter.microsoft.com/.default',
          },
        },
      ],
      redisAddress: parseRedisUrl(complete.REDIS_URL),
      proxy: undefined,
      waitReplicas: 0,
      port: 9_091,
      host: undefined,
      tenantsFile: undefined,
      callTimeoutMs: 30_000,
      readShare: 0.5,
      lookBeforeCall: true,
      followUp: true,
      followUpEveryMs: 30_000,
      coldStart: 'reconstruct',
      readyStallAfterMs: 60_000,
      reconcile: { graceMs: 600_000, onUnknown: 'fail' },
      retentionMs: 30 * 24 * 3_600_000,
    });
  });

  it("takes the quota of the operation's profile, unless settings name another", () => {
    assert.deepEqual(quotaOf({ DEFENDER_OPERATION: 'startInvestigation' }), [50, 3_600_000]);
    assert.deepEqual(quotaOf({ DEFENDER_CALLS_PER_WINDOW: '3', DEFENDER_WINDOW: '10s' }), [3, 10_000]);
    assert.deepEqual(
      quotaOf({ DEFENDER_OPERATION: 'startInvestigation', DEFENDER_WINDOW: '2h' }),
      [50, 7_200_000],
    );
  });

  it('reports every fault at once', () => {
    assert.deepEqual(faulty({}), [
      'REDIS_URL',
      'AZURE_TENANT_ID',
      'AZURE_CLIENT_ID',
      'AZURE_CLIENT_SECRET | AZURE_CLIENT_CERTIFICATE_PATH | AZURE_FEDERATED_TOKEN_FILE',
    ]);
    const wrong = {
      REDIS_URL: 'http://127.0.0.1',
      WORKER_PORT: '70000',
      AZURE_TENANT_ID: 'contoso',
      DEFENDER_OPERATION: 'stopInvestigation',
      DEFENDER_CALLS_PER_WINDOW: '0',
      DEFENDER_WINDOW: '30d',
      DEFENDER_CALL_TIMEOUT: '1h',
      RETENTION: '5m',
      AZURE_CLIENT_ID: 'me',
      AZURE_AUTHORITY_HOST: 'login.microsoftonline.com',
      DEFENDER_BASE_URL: 'http://defender.example',
      DEFENDER_RECONCILE_GRACE: '999ms',
      DEFENDER_ON_UNKNOWN: 'again',
      LOG_LEVEL: 'loud',
    };
    const found = faulty({ ...wrong, AZURE_CLIENT_SECRET: secret });
    assert.deepEqual(found.toSorted(), Object.keys(wrong).toSorted());
  });

  it('takes an empty variable for one that is not set', () => {
    const { port, tenants } = readWorkerConfig({
      ...complete,
      WORKER_PORT: '',
      AZURE_CLIENT_CERTIFICATE_PATH: '',
      AZURE_CLIENT_SECRET_FILE: '',
    });
    assert.deepEqual([port, tenants[0]?.access.credential.kind], [9_091, 'secret']);
    assert.equal(faulty({ ...complete, AZURE_CLIENT_SECRET: '' }).length, 1);
  });

  describe('the credential', () => {
    it('is a secret, a certificate or a federated token', () => {
      assert.deepEqual(credentialOf({ AZURE_CLIENT_CERTIFICATE_PATH: '/run/cert.pem' }), {
        kind: 'certificate',
        path: '/run/cert.pem',
      });
      assert.deepEqual(credentialOf({ AZURE_FEDERATED_TOKEN_FILE: '/run/token' }), {
        kind: 'federated',
        path: '/run/token',
      });
    });

    it('is exactly one of them', () => {
      const [none] = faultsOf(withoutCredential);
      assert.match(none ?? '', /AZURE_CLIENT_SECRET \| .*not set \(expected exactly one of them\)/);
      const [two] = faultsOf({ ...complete, AZURE_FEDERATED_TOKEN_FILE: '/run/token' });
      assert.equal(
        two,
        'AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE: set together (expected exactly one of them)',
      );
    });

    it('has no form that is taken for set and then not read', () => {
      for (const name of ['AZURE_CLIENT_CERTIFICATE_PATH_FILE', 'AZURE_FEDERATED_TOKEN_FILE_FILE']) {
        assert.equal(faultsOf({ ...withoutCredential, [name]: '/run/file' }).length, 1, name);
      }
    });
  });

  describe('what comes from files', () => {
    it('is the client secret and the address of Redis, with its password', async () => {
      const config = readWorkerConfig({
        AZURE_TENANT_ID: complete.AZURE_TENANT_ID,
        AZURE_CLIENT_ID: complete.AZURE_CLIENT_ID,
        REDIS_URL_FILE: await fileWith(`${complete.REDIS_URL}\n`),
        AZURE_CLIENT_SECRET_FILE: await fileWith(`${secret}\n`),
      });
      assert.deepEqual(config.redisAddress, parseRedisUrl(complete.REDIS_URL));
      assert.deepEqual(config.tenants[0]?.access.credential, { kind: 'secret', secret });
    });

    it('is a fault when the file is empty or not there, beside the other faults', async () => {
      const env = { ...withoutCredential, WORKER_PORT: 'x' };
      assert.deepEqual(faulty({ ...env, AZURE_CLIENT_SECRET_FILE: await fileWith('\n') }), [
        'WORKER_PORT',
        'AZURE_CLIENT_SECRET_FILE',
      ]);
      const [missing] = faultsOf({ ...withoutCredential, AZURE_CLIENT_SECRET_FILE: join(dir, 'none') });
      assert.match(missing ?? '', /cannot be read, ENOENT/);
    });

    it('is a fault when it is given in both forms', async () => {
      const file = await fileWith(secret);
      assert.match(faultsOf({ ...complete, AZURE_CLIENT_SECRET_FILE: file })[0] ?? '', /set twice/);
    });
  });

  describe('the tenants', () => {
    const tenants = (name: string) => `tenants:
  - name: ${name}
    tenantId: ${complete.AZURE_TENANT_ID}
    clientId: ${complete.AZURE_CLIENT_ID}
    clientSecretFile: /run/secret
`;

    it('are those of the file, where one is named', async () => {
      const path = await fileWith(tenants('contoso'));
      const config = readWorkerConfig({ REDIS_URL: complete.REDIS_URL, TENANTS_FILE: path });
      assert.deepEqual([config.tenantsFile, config.tenants.map(({ name }) => name)], [path, ['contoso']]);
    });

    it('are in one place: a file beside a tenant in the environment is a fault', async () => {
      const [fault, another] = faultsOf({ ...complete, TENANTS_FILE: await fileWith(tenants('Contoso')) });
      assert.match(fault ?? '', /^AZURE_TENANT_ID: set together with TENANTS_FILE/);
      assert.match(another ?? '', /^TENANTS_FILE: line 2: /, 'with those of the file');
    });

    it('are refused by line, with the other settings', async () => {
      const path = await fileWith(tenants('Contoso'));
      const found = faultsOf({ REDIS_URL: complete.REDIS_URL, TENANTS_FILE: path, WORKER_PORT: 'x' });
      assert.match(found.join('\n'), /^WORKER_PORT: .*\nTENANTS_FILE: line 2: /);
    });
  });

  it('takes further operations of the one tenant, each with a queue of its own', () => {
    const [tenant] = readWorkerConfig({ ...complete, DEFENDER_OPERATIONS: 'startInvestigation' }).tenants;
    assert.deepEqual([...(tenant?.operations.keys() ?? [])], ['initiateInvestigation', 'startInvestigation']);
  });

  it('offers all operations but those that cannot be undone, which have to be named and are never the default', () => {
    const offered = (DEFENDER_OPERATIONS: string) => {
      const [tenant] = readWorkerConfig({ ...complete, DEFENDER_OPERATIONS }).tenants;
      return [...(tenant?.operations.keys() ?? [])];
    };
    assert.deepEqual(offered('all'), usualOperationNames);
    assert.equal(offered('all').includes('offboard'), false);
    assert.deepEqual(offered('offboard'), ['initiateInvestigation', 'offboard']);
    assert.deepEqual(faulty({ ...complete, DEFENDER_OPERATION: 'offboard' }), ['DEFENDER_OPERATION']);
  });

  it('echoes no secret, however wrong it is', () => {
    const echoes = faultsOf({
      ...complete,
      REDIS_URL: `amqp://:${redisPassword}@127.0.0.1`,
      DEFENDER_BASE_URL: `https://user:${secret}@defender.example`,
    });
    assert.equal(echoes.length, 2);
  });

  it('refuses an authority that the token provider would refuse later', () => {
    for (const host of ['https://login.example/tenant', 'http://127.0.0.1:8443']) {
      assert.deepEqual(faulty({ ...complete, AZURE_AUTHORITY_HOST: host }), ['AZURE_AUTHORITY_HOST'], host);
    }
  });
});
