import { posix } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { readText, readYaml } from './read-deploy.ts';

type Json = Readonly<Record<string, unknown>>;

/** A resource of Kubernetes, as far as all of them are alike. */
export type Resource = Json & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Json & { readonly name: string };
};

const imageByTag = z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() });
const imageByDigest = z.strictObject({
  name: z.string(),
  newName: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

// Strict: what this does not know how to render must not be used.
const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string(),
  components: z.array(z.string()).default([]),
  resources: z.array(z.string()),
  labels: z
    .array(z.strictObject({ pairs: z.record(z.string(), z.string()), includeTemplates: z.literal(true) }))
    .default([]),
  images: z.array(z.union([imageByTag, imageByDigest])).default([]),
  patches: z.array(z.strictObject({ path: z.string() })).default([]),
});

const component = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1alpha1'),
  kind: z.literal('Component'),
  resources: z.array(z.string()),
  patches: z
    .array(
      z.strictObject({ target: z.strictObject({ kind: z.string(), name: z.string() }), patch: z.string() }),
    )
    .default([]),
});
const replacements = z.array(
  z.strictObject({ op: z.literal('replace'), path: z.string(), value: z.unknown() }),
);

/** What a component adds to resources, and what it replaces in them. */
export function addComponent(resources: readonly Resource[], folder: string): Resource[] {
  const plan = component.parse(readYaml(`${folder}/kustomization.yaml`));
  const own = plan.resources.flatMap((entry) => readResources(posix.join(folder, entry)));
  return plan.patches.reduce(
    (all, { target, patch }) => {
      if (!all.some((it) => it.kind === target.kind && it.metadata.name === target.name))
        throw new Error(`nothing to patch: ${target.kind} ${target.name}`);
      return all.map((it) =>
        it.kind === target.kind && it.metadata.name === target.name
          ? replacements.parse(parse(patch)).reduce(replaceAt, structuredClone(it))
          : it,
      );
    },
    [...resources, ...own],
  );
}

function replaceAt(resource: Resource, { path, value }: z.output<typeof replacements>[number]): Resource {
  const keys = path.split('/').slice(1);
  const last = keys.pop() ?? '';
  const holder = keys.reduce((at: unknown, key) => (at as Json)[key], resource) as Record<string, unknown>;
  if (!(last in holder)) throw new Error(`nothing to replace at ${path}`);
  holder[last] = value;
  return resource;
}

/**
 * What `kustomize build FOLDER` makes, for the few features that our files use: resources of files and folders, components, labels,
 * images, and patches that add to mappings. Namespaces are left as they stand in the files.
 *
 * @throws for every other feature
 */
export function renderOverlay(folder: string): Resource[] {
  const plan = kustomization.parse(readYaml(`${folder}/kustomization.yaml`));
  const resources = plan.resources.flatMap((entry) => {
    const path = posix.join(folder, entry);
    return entry.endsWith('.yaml') ? readResources(path) : renderOverlay(path);
  });
  const whole = plan.components.reduce(
    (all, entry) => addComponent(all, posix.join(folder, entry)),
    resources,
  );
  const patches = plan.patches.flatMap(({ path }) => readResources(posix.join(folder, path)));
  const patched = patches.reduce(applyPatch, whole);
  return patched.map((resource) => withImages(withLabels(resource, plan.labels), plan.images));
}

export function readResources(file: string): Resource[] {
  return parseAllDocuments(readText(file), { merge: true }).map((document) => {
    const [fault] = document.errors;
    if (fault) throw new Error(`${file}: ${fault.message}`);
    return document.toJS() as Resource;
  });
}

function applyPatch(resources: Resource[], patch: Resource): Resource[] {
  const isMeant = ({ kind, metadata }: Resource) =>
    kind === patch.kind && metadata.name === patch.metadata.name;
  if (resources.filter(isMeant).length !== 1)
    throw new Error(`nothing to patch: ${patch.kind} ${patch.metadata.name}`);
  return resources.map((resource) => (isMeant(resource) ? (merge(resource, patch) as Resource) : resource));
}

function merge(target: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) || patch === null)
    throw new Error('lists and deletions in patches are not rendered here');
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) merged[key] = merge(merged[key], value);
  return merged;
}

type Labels = z.output<typeof kustomization>['labels'];
type Images = z.output<typeof kustomization>['images'];

function withLabels(resource: Resource, labels: Labels): Resource {
  const pairs = Object.assign({}, ...labels.map((entry) => entry.pairs)) as Json;
  if (Object.keys(pairs).length === 0) return resource;
  const labelled = merge(resource, { metadata: { labels: pairs } });
  const hasTemplate = ['Deployment', 'StatefulSet'].includes(resource.kind);
  return (
    hasTemplate ? merge(labelled, { spec: { template: { metadata: { labels: pairs } } } }) : labelled
  ) as Resource;
}

function withImages(resource: Resource, images: Images): Resource {
  return images.reduce((it, { name, newName, ...version }) => {
    const suffix = 'digest' in version ? `@${version.digest}` : `:${version.newTag}`;
    const text = JSON.stringify(it).replaceAll(`"image":"${name}"`, `"image":"${newName}${suffix}"`);
    return JSON.parse(text) as Resource;
  }, resource);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
