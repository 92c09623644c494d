import assert from 'node:assert/strict';
import { z } from 'zod';
import { readText, readYaml } from './support/read-deploy.ts';

const step = z.looseObject({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
});
const workflow = z.looseObject({
  on: z.strictObject({ push: z.strictObject({ tags: z.array(z.string()) }) }),
  permissions: z.strictObject({}),
  jobs: z.strictObject({
    image: z.looseObject({
      environment: z.string(),
      permissions: z.record(z.string(), z.string()),
      strategy: z.object({ matrix: z.object({ service: z.array(z.string()) }) }),
      steps: z.array(step),
    }),
  }),
});

describe('deploy/release/release.yml', () => {
  const text = readText('deploy/release/release.yml');
  let job: z.output<typeof workflow>['jobs']['image'];
  before(() => {
    job = workflow.parse(readYaml('deploy/release/release.yml')).jobs.image;
  });

  it('may read the source and ask for a certificate, and nothing else', () => {
    assert.deepEqual(job.permissions, { contents: 'read', 'id-token': 'write' });
    assert.equal(
      job.steps.find(({ uses }) => uses?.startsWith('actions/checkout@'))?.with['persist-credentials'],
      false,
    );
  });

  it('names every action by its full commit id, with its version beside', () => {
    const lines = text.split('\n').filter((line) => /\buses:/.test(line));
    assert.equal(lines.length, job.steps.filter(({ uses }) => uses !== undefined).length);
    for (const line of lines) assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('builds the images that run, for both architectures, with their contents and origin', () => {
    const dockerfile = readText('deploy/Dockerfile');
    for (const service of job.strategy.matrix.service)
      assert.ok(dockerfile.includes(`FROM runtime AS ${service}\n`), service);
    const build = job.steps.find(({ run }) => run?.includes('docker buildx build'))?.run ?? '';
    for (const part of [
      '--file deploy/Dockerfile',
      '--platform linux/amd64,linux/arm64',
      '--sbom=true',
      '--provenance=mode=max',
    ])
      assert.ok(build.includes(part), part);
  });

  it('signs by digest, and puts no text of an event into a shell', () => {
    const runs = job.steps.flatMap(({ run }) => run ?? []);
    assert.match(runs.join('\n'), /cosign sign --yes --recursive "\$IMAGE@\$digest"/);
    for (const run of runs) assert.doesNotMatch(run, /\$\{\{/);
  });

  it('leaves the registry to who switches it on', () => {
    assert.doesNotMatch(text, /\b(?:ghcr|docker|quay|azurecr)\.io\b/);
    for (const name of text.matchAll(/\$\{\{ (?:vars|secrets)\.(\w+) \}\}/g))
      assert.ok(readText('docs/deploy.md').includes(`\`${name[1]}\``), name[1]);
  });
});
