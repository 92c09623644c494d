import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './support/read-deploy.ts';

const files = ['deploy/Dockerfile', 'docker-compose.yml', 'deploy/kubernetes/overlays/example/redis.yaml'];
const digestOf = (image: string) => `sha256:${createHash('sha256').update(image).digest('hex')}`;

/** Stands in for docker: the digest of an image is the hash of its name. */
const docker = `#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 1
[ -z "\${REFUSE:-}" ] || { echo unauthorized >&2; exit 1; }
printf 'sha256:%s\\n' "$(printf %s "$4" | sha256sum | cut -d ' ' -f 1)"
`;

describe('deploy/pin-images.sh', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'diq-pin-'));
    for (const file of [...files, 'deploy/pin-images.sh']) {
      mkdirSync(join(folder, dirname(file)), { recursive: true });
      cpSync(fileURLToPath(new URL(file, root)), join(folder, file));
    }
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/docker'), docker);
    chmodSync(join(folder, 'bin/docker'), 0o755);
  });
  after(() => rmSync(folder, { recursive: true }));

  const pin = (env = {}) =>
    spawnSync('sh', [join(folder, 'deploy/pin-images.sh')], {
      env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, ...env },
      encoding: 'utf8',
    });
  const all = () => files.map((file) => readFileSync(join(folder, file), 'utf8'));
  const withoutDigests = (text: string) => text.replaceAll(/@sha256:[0-9a-f]{64}/g, '');

  it('changes nothing when a digest cannot be had', () => {
    const before = all();
    const { status } = pin({ REFUSE: '1' });
    assert.notEqual(status, 0);
    assert.deepEqual(all(), before);
  });

  it('gives every image that is not ours the digest of its tag, and changes nothing else', () => {
    const before = all();
    const { status, stderr } = pin();
    assert.equal(status, 0, stderr);
    const pinned = all();
    assert.deepEqual(pinned.map(withoutDigests), before.map(withoutDigests));
    const used = pinned.flatMap((text) =>
      [...text.matchAll(/^(?:FROM| +image:) +(\S+)/gm)].map(([, image = '']) => image),
    );
    const foreign = used.filter((image) => /:/.test(image) && !image.includes('$'));
    assert.ok(foreign.length >= 6);
    for (const image of foreign) {
      const [name = '', digest] = image.split('@');
      assert.equal(digest, digestOf(name), image);
    }
  });

  it('replaces the digest of an earlier run', () => {
    const once = all();
    const stale = once.map((text) => text.replaceAll(/@sha256:[0-9a-f]{64}/g, `@sha256:${'0'.repeat(64)}`));
    for (const [i, file] of files.entries()) writeFileSync(join(folder, file), stale[i] ?? '');
    assert.equal(pin().status, 0);
    assert.deepEqual(all(), once);
  });
});
