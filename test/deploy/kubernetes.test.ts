import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { BlockList, isIPv6 } from 'node:net';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { batchBodyLimitBytes } from '@diq/intake-api/http/middleware/require-json.ts';
import { requireTools } from '@diq/testing/require-tools.ts';
import { readText, root, settingNames } from './support/read-deploy.ts';
import { renderOverlay, type Resource } from './support/render-overlay.ts';
import { schemaFault, unknownFields } from './support/schema-faults.ts';

const overlay = 'deploy/kubernetes/overlays/example';

const selector = z.object({ matchLabels: z.record(z.string(), z.string()) });
const entering = z.looseObject({
  ingress: z.array(
    z.object({
      from: z.array(z.object({ namespaceSelector: selector.optional(), podSelector: selector.optional() })),
      ports: z.array(z.unknown()),
    }),
  ),
});
const leaving = z.looseObject({
  egress: z.array(
    z.object({
      to: z.array(
        z.looseObject({ ipBlock: z.object({ cidr: z.string(), except: z.array(z.string()) }).optional() }),
      ),
      ports: z.array(z.looseObject({ port: z.union([z.number(), z.string()]) })),
    }),
  ),
});

/** Who may come in, all rules together. */
function peersInto(spec: unknown) {
  return entering.parse(spec).ingress.flatMap(({ from }) => from);
}

/** Tells of an address whether a policy lets traffic out to it on this port, as Kubernetes reads `ipBlock`. */
function egressTo(spec: unknown, port: number): (address: string) => boolean {
  const blocks = leaving
    .parse(spec)
    .egress.filter(({ ports }) => ports.some((one) => one.port === port))
    .flatMap(({ to }) => to.map(({ ipBlock }) => ipBlock ?? assert.fail('not an address')));
  const contains = (cidr: string, address: string) => {
    const list = new BlockList();
    const [network = '', bits] = cidr.split('/');
    list.addSubnet(network, Number(bits), isIPv6(network) ? 'ipv6' : 'ipv4');
    return isIPv6(network) === isIPv6(address) && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  };
  return (address) =>
    blocks.some(
      ({ cidr, except }) => contains(cidr, address) && !except.some((one) => contains(one, address)),
    );
}

const probe = z.looseObject({});
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  volumeMounts: z.array(
    z.object({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }),
  ),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  resources: z.object({
    requests: z.looseObject({ cpu: z.string(), memory: z.string() }),
    limits: z.looseObject({ memory: z.string() }),
  }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.tuple([z.literal('ALL')]) }),
  }),
});
const workload = z.looseObject({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    replicas: z.number().optional(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        serviceAccountName: z.string().optional(),
        automountServiceAccountToken: z.literal(false),
        topologySpreadConstraints: z.array(z.looseObject({ topologyKey: z.string() })).default([]),
        securityContext: z.looseObject({
          runAsNonRoot: z.literal(true),
          runAsUser: z.number().min(1),
          seccompProfile: z.object({ type: z.literal('RuntimeDefault') }),
        }),
        containers: z.array(container),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
});

const ingress = z.looseObject({
  metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()) }),
  spec: z.looseObject({
    rules: z.array(
      z.looseObject({
        http: z.object({
          paths: z.array(z.looseObject({ path: z.string(), pathType: z.enum(['Prefix', 'Exact']) })),
        }),
      }),
    ),
  }),
});

describe('deploy/kubernetes', () => {
  let resources: Resource[];
  let workloads: z.output<typeof workload>[];
  const find = (kind: string, name: string) =>
    resources.find((it) => it.kind === kind && it.metadata.name === name) ??
    assert.fail(`no ${kind} ${name}`);
  before(() => {
    resources = renderOverlay(overlay);
    workloads = resources
      .filter(({ kind }) => ['Deployment', 'StatefulSet'].includes(kind))
      .map((it) => workload.parse(it));
  });

  it('keeps to the schemas of Kubernetes and of the Prometheus operator', () => {
    assert.ok(resources.length > 20);
    assert.deepEqual(
      resources.map(schemaFault).filter((fault) => fault !== undefined),
      [],
    );
  });

  it('has no field that these schemas do not know', async () => {
    assert.equal(await unknownFields(resources), '');
    const typo = JSON.parse(
      JSON.stringify(find('Deployment', 'worker')).replace('"readinessProbe"', '"readynessProbe"'),
    ) as Resource;
    assert.match(await unknownFields([typo]), /readynessProbe/);
  }).timeout(60_000);

  it('is what kustomize makes of it', function () {
    requireTools('kubectl').call(this);
    const text = execFileSync('kubectl', ['kustomize', overlay], { cwd: root, encoding: 'utf8' });
    const made = parseAllDocuments(text).map((it) => it.toJS() as Resource);
    const byName = (list: readonly Resource[]) =>
      new Map(
        list.map((it) => [
          `${it.kind} ${it.metadata.name}`,
          { ...it, metadata: { ...it.metadata, namespace: '' } },
        ]),
      );
    assert.deepEqual(byName(resources), byName(made));
    return undefined;
  });

  it('runs nothing that is not hardened, probed, limited and without a right in the cluster', () => {
    // Read by the schema above, which wants all of it.
    assert.deepEqual(workloads.map(({ metadata }) => metadata.name).toSorted(), [
      'intake',
      'redis',
      'worker',
    ]);
    for (const { metadata, spec } of workloads) {
      const { containers, volumes } = spec.template.spec;
      const mounted = containers.flatMap((it) => it.volumeMounts.map(({ name }) => name));
      const given = volumes.map(({ name }) => name);
      assert.deepEqual(mounted.filter((name) => name !== 'data').toSorted(), given.toSorted(), metadata.name);
      for (const [label, value] of Object.entries(spec.selector.matchLabels)) {
        assert.equal(spec.template.metadata.labels[label], value);
      }
    }
  });

  it('gives intake and worker a writable /tmp, and spreads them over nodes and zones', () => {
    for (const name of ['intake', 'worker']) {
      const { spec } = workloads.find((it) => it.metadata.name === name) ?? assert.fail(name);
      const pod = spec.template.spec;
      const writable = pod.containers.flatMap((it) => it.volumeMounts).filter((it) => it.readOnly !== true);
      assert.deepEqual(writable, [{ name: 'tmp', mountPath: '/tmp' }]);
      assert.equal(pod.topologySpreadConstraints.length, 2);
      assert.equal(pod.serviceAccountName, name);
    }
  });

  it('keeps one of each while nodes are drained, and leaves the number of intakes to the autoscaler', () => {
    for (const name of ['intake', 'worker']) assert.ok(find('PodDisruptionBudget', name));
    assert.equal(workloads.find((it) => it.metadata.name === 'intake')?.spec.replicas, undefined);
    assert.equal(workloads.find((it) => it.metadata.name === 'worker')?.spec.replicas, 2);
    assert.match(JSON.stringify(find('HorizontalPodAutoscaler', 'intake')), /"minReplicas":2/);
  });

  it('sets only what the services read', () => {
    const settingsIn = (name: string) => Object.keys(find('ConfigMap', name)['data'] as object);
    const common = settingsIn('queue-settings');
    const ofIntake = settingsIn('intake-settings');
    assert.ok(ofIntake.includes('INTAKE_TRUSTED_PROXIES'));
    assert.match(JSON.stringify(find('Deployment', 'intake')), /"configMapRef":\{"name":"intake-settings"\}/);
    for (const [name, service] of [
      ['intake', 'intake-api'],
      ['worker', 'worker'],
    ] as const) {
      const known = settingNames(service);
      const own =
        workloads.find((it) => it.metadata.name === name)?.spec.template.spec.containers[0]?.env ?? [];
      const given = [...common, ...(name === 'intake' ? ofIntake : []), ...own.map((it) => it.name)];
      for (const setting of given) {
        assert.ok(known.has(setting) || known.has(setting.replace(/_FILE$/, '')), `${name}: ${setting}`);
      }
    }
  });

  it('exposes the API and the status page to the outside, but neither metrics nor probes', () => {
    const { spec, metadata } = ingress.parse(find('Ingress', 'intake'));
    const open = spec.rules.flatMap(({ http }) => http.paths);
    const isOpen = (path: string) =>
      open.some(
        (it) =>
          path === it.path || (it.pathType === 'Prefix' && path.startsWith(`${it.path.replace(/\/$/, '')}/`)),
      );
    const browser = 'services/intake-api/src/status-page/browser/';
    const files = readdirSync(new URL(browser, root), { encoding: 'utf8', recursive: true });
    const ofPage = files
      .filter((file) => /\.(?:html|js)$/.test(file))
      .flatMap((file) =>
        [...readText(browser + file).matchAll(/["'`]((?:status-page|session|v1)\b[^"'`?$]*)/g)].map(
          ([, path]) => `/${path}`,
        ),
      );
    for (const path of ['/session', '/status-page/page.js']) assert.ok(ofPage.includes(path), path);
    for (const path of [
      '/',
      '/v1/batches',
      '/v1/events',
      '/docs',
      '/openapi.json',
      '/openapi-3.0.json',
      '/defender/api/machines',
      ...ofPage,
    ]) {
      assert.ok(isOpen(path), path);
    }
    for (const path of ['/metrics', '/livez', '/readyz']) assert.ok(!isOpen(path), path);

    const allowed = metadata.annotations['nginx.ingress.kubernetes.io/proxy-body-size'];
    assert.equal(allowed, `${batchBodyLimitBytes / 1_024 / 1_024}m`);
  });

  it('lets the worker alone become the application, by workload identity', () => {
    const worker = workloads.find((it) => it.metadata.name === 'worker');
    assert.equal(worker?.spec.template.metadata.labels['azure.workload.identity/use'], 'true');
    assert.match(JSON.stringify(find('ServiceAccount', 'worker')), /azure\.workload\.identity\/client-id/);
    assert.doesNotMatch(JSON.stringify(find('ServiceAccount', 'intake')), /workload\.identity/);
    assert.doesNotMatch(JSON.stringify(find('Deployment', 'intake')), /workload\.identity/);
  });

  it('denies all traffic and allows what is needed', () => {
    assert.deepEqual(find('NetworkPolicy', 'default-deny')['spec'], {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const egress = (name: string) =>
      [...JSON.stringify(find('NetworkPolicy', name)).matchAll(/"port":(\d+)/g)].map(([, port]) =>
        Number(port),
      );
    assert.deepEqual(egress('worker'), [6379, 443]);
    assert.deepEqual(egress('intake'), [6379]);
    assert.deepEqual(egress('dns'), [53, 53]);
  });

  for (const name of ['worker', 'intake-https']) {
    it(`lets ${name} out to public addresses alone, on port 443`, () => {
      const reaches = egressTo(find('NetworkPolicy', name)['spec'], 443);
      const open = ['20.190.128.1', '8.8.8.8', '172.32.0.1', '192.1.0.1', '2603:1000::1', '2a00:1450::1'];
      assert.deepEqual(open.filter(reaches), open);
      const shut =
        '169.254.169.254 168.63.129.16 10.0.0.1 172.31.0.1 192.168.1.1 100.64.0.1 127.0.0.1 0.0.0.0 192.0.0.192 224.0.0.1 255.255.255.255 ::1 fd00:ec2::254 fc00::1 fe80::1 64:ff9b::a9fe:a9fe ::ffff:169.254.169.254 ::a9fe:a9fe 2002:a9fe:a9fe:: 2001:0:1::1 ff02::1'.split(
          ' ',
        );
      assert.deepEqual(shut.filter(reaches), []);
    });
  }

  it('admits only named namespaces: the ingress, and Prometheus in its own', () => {
    const names = (name: string) =>
      peersInto(find('NetworkPolicy', name)['spec']).map(
        ({ namespaceSelector, podSelector }) =>
          `${namespaceSelector?.matchLabels['kubernetes.io/metadata.name']}/${podSelector?.matchLabels['app.kubernetes.io/name'] ?? '*'}`,
      );
    assert.deepEqual(names('worker'), ['monitoring/prometheus']);
    assert.deepEqual(names('intake'), ['ingress-nginx/*', 'monitoring/prometheus']);
  });

  it('holds no secret, and docs/deploy.md says how each one is made', () => {
    assert.deepEqual(
      resources.filter(({ kind }) => kind === 'Secret'),
      [],
    );
    const names = [...JSON.stringify(resources).matchAll(/"secretName":"([^"]+)"/g)].map(
      ([, name = '']) => name,
    );
    const guide = readText('docs/deploy.md');
    for (const name of names.filter((it) => it !== 'intake-tls')) {
      assert.ok(guide.includes(`create secret generic ${name} `), name);
    }
  });

  it('asks the same of Redis as docker-compose.yml does', () => {
    const config = (find('ConfigMap', 'redis-config')['data'] as Record<string, string>)['redis.conf'] ?? '';
    for (const line of config.trim().split('\n')) {
      if (!line.startsWith('aclfile'))
        assert.ok(readText('deploy/redis.conf').split('\n').includes(line), line);
    }
    assert.match(config, /^appendfsync always$/m);
  });
});
