import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withSecretFiles } from './read-settings.ts';

describe('withSecretFiles', () => {
  let dir: string;
  const file = (name: string, content: string): string => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'diq-secret-'));
  });
  after(() => rmSync(dir, { recursive: true }));

  it('takes the trimmed content of the named file as the value', () => {
    const { env, faults } = withSecretFiles({ KEY_FILE: file('key', ' s3cret\n'), OTHER: 'x' }, ['KEY']);
    assert.deepEqual(faults, []);
    assert.equal(env['KEY'], 's3cret');
    assert.equal(env['OTHER'], 'x');
  });

  it('leaves alone what is not listed, not set by file, or set to the empty string', () => {
    const given = { AZURE_FEDERATED_TOKEN_FILE: '/nowhere', KEY: 'direct', KEY_FILE: '' };
    assert.deepEqual(withSecretFiles(given, ['KEY']), { env: given, faults: [] });
  });

  it('finds fault with a secret that is set both ways', () => {
    const { faults } = withSecretFiles({ KEY: 'a', KEY_FILE: file('both', 'b') }, ['KEY']);
    assert.deepEqual(faults, ['KEY: set twice (expected KEY or KEY_FILE, not both)']);
  });

  it('names the setting whose file is missing or empty, and does not repeat what stands in it', () => {
    const { faults } = withSecretFiles({ A_FILE: 'pasted-secret', B_FILE: file('empty', '\n') }, ['A', 'B']);
    assert.match(faults[0] ?? '', /^A_FILE: the file cannot be read, ENOENT/);
    assert.match(faults[1] ?? '', /^B_FILE: the file is empty/);
    assert.doesNotMatch(faults.join(), /pasted-secret/);
  });
});
