import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { requireTools } from '@diq/testing/require-tools.ts';
import { readYaml, root } from './support/read-deploy.ts';
import { addComponent, readResources, renderOverlay, type Resource } from './support/render-overlay.ts';

const overlay = 'deploy/kubernetes/overlays/example';
const components = 'deploy/kubernetes/components';
const optional = ['external-secrets', 'csi-secrets', 'gateway-api'];

const podVolumes = z.looseObject({
  template: z.looseObject({
    spec: z.looseObject({
      volumes: z.array(
        z.looseObject({
          name: z.string(),
          secret: z.looseObject({ secretName: z.string() }).optional(),
          csi: z
            .strictObject({
              driver: z.literal('secrets-store.csi.k8s.io'),
              readOnly: z.literal(true),
              volumeAttributes: z.strictObject({ secretProviderClass: z.string() }),
            })
            .optional(),
        }),
      ),
    }),
  }),
});
const externalSecret = z.looseObject({
  secretStoreRef: z.strictObject({ kind: z.literal('SecretStore'), name: z.string() }),
  target: z.looseObject({ name: z.string() }),
  data: z.array(z.strictObject({ secretKey: z.string(), remoteRef: z.strictObject({ key: z.string() }) })),
});
const providerClass = z.looseObject({ parameters: z.looseObject({ objects: z.string() }) });
const route = z.looseObject({
  rules: z.array(
    z.strictObject({
      // Older versions take no more.
      matches: z
        .array(
          z.strictObject({
            path: z.strictObject({ type: z.enum(['Exact', 'PathPrefix']), value: z.string() }),
          }),
        )
        .max(8),
      backendRefs: z.tuple([z.strictObject({ name: z.string(), port: z.number() })]),
    }),
  ),
});
const ingress = z.looseObject({
  rules: z.array(
    z.looseObject({
      http: z.object({ paths: z.array(z.looseObject({ path: z.string(), pathType: z.string() })) }),
    }),
  ),
});

describe('deploy/kubernetes/components', () => {
  let example: Resource[];
  before(() => {
    example = renderOverlay(overlay);
  });
  const withOne = (name: string) => addComponent(example, `${components}/${name}`);
  const named = (list: readonly Resource[], kind: string, name: string) =>
    list.find((it) => it.kind === kind && it.metadata.name === name) ?? assert.fail(`no ${kind} ${name}`);
  const volumesOf = (list: readonly Resource[], name: string) =>
    podVolumes.parse(named(list, 'Deployment', name)['spec']).template.spec.volumes;

  it('are all looked at here', () => {
    const found = readdirSync(new URL(components, root));
    assert.deepEqual(found.toSorted(), [...optional, 'prometheus-operator'].toSorted());
  });

  it('hold no secret', () => {
    for (const name of optional)
      assert.ok(
        withOne(name).every(({ kind }) => kind !== 'Secret'),
        name,
      );
  });

  it('give the Prometheus operator the rules and the dashboard that stand in deploy/prometheus and deploy/grafana', () => {
    for (const name of ['rules', 'alerts']) {
      const rule = named(example, 'PrometheusRule', `investigation-queue-${name}`);
      assert.deepEqual(rule['spec'], readYaml(`deploy/prometheus/${name}.yml`));
    }
    const { data } = z
      .looseObject({ data: z.record(z.string(), z.string()) })
      .parse(named(example, 'ConfigMap', 'investigation-queue-dashboard'));
    assert.deepEqual(
      JSON.parse(data['investigation-queue.json'] ?? ''),
      readYaml('deploy/grafana/dashboards/investigation-queue.json'),
    );
  });

  it('leave out the Prometheus operator where it is not: the base has nothing of it', () => {
    assert.ok(renderOverlay('deploy/kubernetes/base').every(({ apiVersion }) => !/coreos/.test(apiVersion)));
  });

  it('make the secrets that the pods mount out of a vault', () => {
    const all = withOne('external-secrets');
    const wanted = ['intake', 'worker']
      .flatMap((name) => volumesOf(all, name).flatMap(({ secret }) => secret?.secretName ?? []))
      .toSorted();
    const made = all.filter(({ kind }) => kind === 'ExternalSecret');
    const specs = made.map((it) => externalSecret.parse(it['spec']));
    assert.deepEqual(specs.map(({ target }) => target.name).toSorted(), wanted);
    for (const { secretStoreRef, target, data } of specs) {
      assert.ok(named(all, 'SecretStore', secretStoreRef.name));
      assert.deepEqual(
        data.map(({ secretKey }) => secretKey),
        [target.name === 'intake-api-keys' ? 'api-keys' : 'url'],
      );
    }
  });

  it('mount them straight out of a vault, where the settings look for them', () => {
    const all = withOne('csi-secrets');
    for (const service of ['intake', 'worker']) {
      const before = volumesOf(example, service);
      const after = volumesOf(all, service);
      assert.deepEqual(
        after.map(({ name }) => name),
        before.map(({ name }) => name),
      );
      for (const [i, { secret }] of before.entries()) {
        if (!secret) continue;
        const name = after[i]?.csi?.volumeAttributes.secretProviderClass ?? assert.fail(service);
        assert.equal(name, secret.secretName);
        const { parameters } = providerClass.parse(named(all, 'SecretProviderClass', name)['spec']);
        const { array } = z.object({ array: z.array(z.string()) }).parse(parse(parameters.objects));
        const [object] = array.map((text) => z.record(z.string(), z.string()).parse(parse(text)));
        assert.equal(object?.['objectName'], secret.secretName);
        const file = `/${after[i]?.name}/${object?.['objectAlias']}`;
        assert.match(JSON.stringify(named(all, 'Deployment', service)), new RegExp(`run/secrets${file}"`));
      }
    }
  });

  it('let the Gateway pass what the Ingress passes, and no more', () => {
    const { rules } = route.parse(named(withOne('gateway-api'), 'HTTPRoute', 'intake')['spec']);
    const matches = rules.flatMap((rule) => rule.matches);
    const ofIngress = ingress
      .parse(named(example, 'Ingress', 'intake')['spec'])
      .rules.flatMap(({ http }) => http.paths)
      .map(({ path, pathType }) => `${pathType === 'Exact' ? 'Exact' : 'PathPrefix'} ${path}`);
    assert.deepEqual(
      matches.map(({ path }) => `${path.type} ${path.value}`).toSorted(),
      ofIngress.toSorted(),
    );
    for (const { backendRefs } of rules) {
      const service = JSON.stringify(named(example, 'Service', backendRefs[0].name)['spec']);
      assert.ok(service.includes(`"port":${backendRefs[0].port}`));
    }
  });

  it('are what kustomize makes of them', function () {
    requireTools('kubectl').call(this);
    const folder = mkdtempSync(new URL('deploy/kubernetes/overlays/test-', root).pathname);
    try {
      const kustomization = {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: ['../example'],
        components: optional.map((name) => `../../components/${name}`),
      };
      writeFileSync(`${folder}/kustomization.yaml`, JSON.stringify(kustomization));
      const text = execFileSync('kubectl', ['kustomize', relative(root.pathname, folder)], {
        cwd: root,
        encoding: 'utf8',
      });
      const made = parseAllDocuments(text).map((it) => it.toJS() as Resource);
      const all = optional.reduce((list, name) => addComponent(list, `${components}/${name}`), example);
      assert.equal(made.length, all.length);
      for (const it of all) {
        const { spec, data } = named(made, it.kind, it.metadata.name);
        assert.deepEqual([spec, data], [it['spec'], it['data']], `${it.kind} ${it.metadata.name}`);
      }
      assert.ok(readResources(`${components}/gateway-api/http-route.yaml`).length > 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
    return undefined;
  });
});
