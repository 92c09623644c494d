import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { environmentNames } from '@diq/defender-simulator/config.ts';
import { readCompose, type ComposeFile, type ComposeService } from './support/compose.ts';
import { readText, root, settingNames } from './support/read-deploy.ts';

/** What Node and Grafana read. */
const thirdParty = /^(NODE_EXTRA_CA_CERTS|GF_[A-Z_]+|OTEL_[A-Z_]+|PROMETHEUS_URL|RUNBOOKS_URL)$/;
/** What only one way of running has a use for: ports and addresses inside a container are fixed, secrets are files. */
const fixedInContainers =
  /^(INTAKE|WORKER|SIMULATOR)_(PORT|HOST)$|^(REDIS_URL|INTAKE_API_KEYS|CALLBACK_SECRET|AZURE_CLIENT_SECRET|INTAKE_ENTRA_CLIENT_SECRET)(_FILE)?$|^HTTPS_PROXY_FILE$|^REDIS_(SENTINELS|SENTINEL_NAME|SENTINEL_PASSWORD|CLUSTER_NODES)$|^AZURE_(CLIENT_CERTIFICATE_PATH|FEDERATED_TOKEN_FILE)$/;

describe('docker-compose.yml', () => {
  let compose: ComposeFile;
  let services: [string, ComposeService][];
  const find = (name: string) => compose.services[name] ?? assert.fail(`no service ${name}`);
  before(() => {
    compose = readCompose();
    services = Object.entries(compose.services);
  });

  it('has every part, two workers, and the simulator only where it is asked for', () => {
    assert.deepEqual(
      Object.keys(compose.services).toSorted(),
      ['alertmanager', 'grafana', 'intake', 'prometheus', 'redis', 'simulator', 'worker'].toSorted(),
    );
    assert.equal(find('worker').deploy.replicas, 2);
    assert.deepEqual(
      services.filter(([, { profiles }]) => profiles.length > 0).map(([name]) => name),
      ['simulator'],
    );
  });

  it('publishes intake and Grafana, on the loopback address, and nothing else', () => {
    assert.deepEqual(
      services.flatMap(([, { ports }]) => ports),
      ['${INTAKE_PUBLISH:-127.0.0.1:8080}:8080', '${GRAFANA_PUBLISH:-127.0.0.1:3000}:3000'],
    );
  });

  it('gives only the services that use Redis access to it', () => {
    assert.equal(compose.networks['store']?.internal, true);
    assert.deepEqual(find('redis').networks, ['store']);
    assert.deepEqual(
      services.filter(([, { networks }]) => networks.includes('store')).map(([name]) => name),
      ['redis', 'intake', 'worker'],
    );
  });

  it('waits by health for Redis, and for nothing that a service can do without', () => {
    assert.equal(find('intake').depends_on['redis']?.condition, 'service_healthy');
    assert.equal(find('worker').depends_on['redis']?.condition, 'service_healthy');
    for (const [name, { depends_on: others }] of services) {
      for (const other of Object.keys(others))
        assert.ok(compose.services[other], `${name} waits for ${other}`);
    }
  });

  it('hands every secret over as a file that is declared, and only to who reads it', () => {
    const used = new Set(services.flatMap(([, { secrets }]) => secrets));
    assert.deepEqual([...used].toSorted(), Object.keys(compose.secrets).toSorted());
    for (const [name, service] of services) {
      const { secrets } = service;
      const settings = JSON.stringify(service) + configOf(name);
      for (const secret of secrets) {
        assert.ok(settings.includes(`/run/secrets/${secret}`), `${name} gets ${secret} and does not read it`);
      }
      for (const [, path = ''] of settings.matchAll(/\/run\/secrets\/(\w+)/g)) {
        assert.ok(secrets.includes(path), `${name} reads ${path} and does not get it`);
      }
    }
    assert.deepEqual(find('worker').secrets, ['redis_url_worker', 'azure_client_secret']);
    assert.ok(!find('intake').secrets.includes('azure_client_secret'));
    assert.ok(!find('intake').secrets.includes('redis_url_worker'));
  });

  it('holds no credential and no default for one', () => {
    for (const [service, { environment }] of services) {
      for (const [name, value] of Object.entries(environment)) {
        if (!/SECRET|PASSWORD|KEYS|TOKEN|REDIS_URL/.test(name)) continue;
        assert.match(value, /^\/run\/secrets\/\w+$/, `${service}: ${name}`);
      }
    }
    assert.doesNotMatch(
      readText('docker-compose.yml') + readText('deploy/redis.conf'),
      /requirepass|:\/\/[^/\s]*:[^/\s]*@/,
    );
    assert.match(find('intake').environment['AZURE_TENANT_ID'] ?? '', /^\$\{AZURE_TENANT_ID:\?/);
    assert.match(find('worker').environment['AZURE_CLIENT_ID'] ?? '', /^\$\{AZURE_CLIENT_ID:\?/);
  });

  it('sets nothing that the service does not read', () => {
    const known = {
      intake: settingNames('intake-api'),
      worker: settingNames('worker'),
      simulator: new Set(Object.values(environmentNames)),
    } as Record<string, ReadonlySet<string> | undefined>;
    for (const [service, { environment }] of services) {
      const unknown = Object.keys(environment).filter(
        (name) =>
          !thirdParty.test(name) &&
          known[service]?.has(name) !== true &&
          known[service]?.has(name.replace(/_FILE$/, '')) !== true,
      );
      assert.deepEqual(unknown, [], service);
    }
  });

  it('lets .env set every setting of intake and worker', () => {
    for (const [service, names] of [
      ['intake', settingNames('intake-api')],
      ['worker', settingNames('worker')],
    ] as const) {
      const { environment } = find(service);
      const missing = [...names].filter(
        (name) => !fixedInContainers.test(name) && !environment[name]?.startsWith(`\${${name}:`),
      );
      assert.deepEqual(missing, [], service);
    }
  });

  it('lets .env set what .env.example lists for traces, and a certificate authority, for intake and worker', () => {
    const documented = [...readText('.env.example').matchAll(/^# (OTEL_[A-Z_]+)=/gm)].map(
      ([, name = '']) => name,
    );
    assert.ok(documented.length > 5);
    for (const service of ['intake', 'worker']) {
      const { environment, volumes } = find(service);
      const missing = [...documented, 'NODE_EXTRA_CA_CERTS'].filter(
        (name) => environment[name] !== `\${${name}:-}`,
      );
      assert.deepEqual(missing, [], service);
      assert.ok(volumes.includes('./deploy/secrets/ca:/run/ca:ro'), service);
    }
  });

  it('mounts files that are there, and none of them writable', () => {
    for (const [name, { volumes }] of services) {
      for (const volume of volumes) {
        const [source = '', , mode] = volume.split(':');
        if (!source.startsWith('./')) {
          assert.ok(compose.volumes[source], `${name}: volume ${source} is not declared`);
          continue;
        }
        assert.equal(mode, 'ro', `${name}: ${volume}`);
        // Made by deploy/create-secrets.sh.
        if (source !== './deploy/secrets/ca')
          assert.ok(existsSync(new URL(source, root)), `${name}: ${source}`);
      }
    }
  });

  it('builds from targets that the Dockerfile has, and takes other images by their version', () => {
    for (const [name, { image, build }] of services) {
      if (build) assert.match(readText(build.dockerfile), new RegExp(`^FROM \\S+ AS ${build.target}$`, 'm'));
      else assert.match(image, /^[a-z/]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$/, name);
    }
  });

  function configOf(service: string): string {
    if (service === 'redis') return readText('deploy/redis.conf');
    return service === 'alertmanager' ? readText('deploy/alertmanager/alertmanager.yml') : '';
  }
});

describe('deploy/redis.conf', () => {
  const lines = readText('deploy/redis.conf').split('\n');

  for (const line of [
    'appendonly yes',
    'appendfsync always',
    'no-appendfsync-on-rewrite no',
    'maxmemory-policy noeviction',
  ]) {
    it(`says ${line}`, () => assert.ok(lines.includes(line)));
  }

  it('leaves room beneath the memory limit for rewriting the append-only file', () => {
    const megabytes = Number(/^maxmemory (\d+)mb$/m.exec(lines.join('\n'))?.[1]);
    const limit = Number(
      /^(\d+)M$/.exec(readCompose().services['redis']?.deploy.resources.limits.memory ?? '')?.[1],
    );
    assert.ok(limit >= 2 * megabytes, `${limit} MB for ${megabytes} MB`);
  });
});

describe('deploy/demo.env', () => {
  const entries = [...readText('deploy/demo.env').matchAll(/^([A-Z_]+)=(.*)$/gm)];

  it('sets only what docker-compose.yml takes, turns the simulator on and calls no other host', () => {
    const compose = readText('docker-compose.yml');
    for (const [, name = '', value = ''] of entries) {
      if (name !== 'COMPOSE_PROFILES') assert.ok(compose.includes(`\${${name}:`), name);
      if (value.startsWith('http')) assert.equal(value, 'https://simulator:8443');
    }
    assert.ok(entries.some(([line]) => line === 'COMPOSE_PROFILES=demo'));
    assert.ok(entries.some(([line]) => line.startsWith('AZURE_AUTHORITY_HOST=')));
    assert.ok(entries.some(([line]) => line.startsWith('DEFENDER_BASE_URL=')));
  });
});
