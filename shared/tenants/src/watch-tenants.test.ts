import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@diq/testing/wait-for.ts';
import type { ReachableTenant } from './tenant.ts';
import { readTenantsFile, watchTenants } from './watch-tenants.ts';

const entry = (name: string, digit: string) => ({
  name,
  tenantId: `${digit.repeat(8)}-1111-1111-1111-111111111111`,
  clientId: '22222222-2222-2222-2222-222222222222',
  clientSecretFile: '/run/secret',
});
/** As editors and platforms do: a half-written file is never read. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}
const write = (path: string, ...entries: object[]) => replace(path, JSON.stringify({ tenants: entries }));

describe('the file of tenants', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tenants-'));
  const path = join(dir, 'tenants.yaml');
  let stop: () => Promise<void> = async () => undefined;
  const changes: string[][] = [];
  const infos: object[] = [];
  const errors: { faults: unknown; message: string }[] = [];
  before(() => {
    write(path, entry('one', '1'));
    stop = watchTenants({
      path,
      tenants: readTenantsFile(path),
      onChange: (tenants: readonly ReachableTenant[]) => changes.push(tenants.map(({ name }) => name)),
      logger: {
        info: (about: object) => void infos.push(about),
        error: (about: { faults?: unknown }, message: string) =>
          void errors.push({ faults: about.faults, message }),
      } as unknown as Parameters<typeof watchTenants>[0]['logger'],
      intervalMs: 5,
    });
  });
  after(async () => {
    await stop();
    rmSync(dir, { recursive: true });
  });

  it('is read again: tenants come and go, and a faulty one changes nothing and says which line', async () => {
    write(path, entry('one', '1'), entry('two', '2'));
    await waitFor(() => changes.length === 1, { what: 'the second tenant' });
    replace(path, 'tenants:\n  - name: Three\n');
    await waitFor(() => errors.length === 1, { what: 'the fault' });
    assert.match(errors[0]?.message ?? '', /^TENANTS_FILE is not usable, what it held before stays valid$/);
    assert.match(String(errors[0]?.faults), /^line 2: tenants\[0\]\.name: /);
    rmSync(path);
    await waitFor(() => errors.length === 2, { what: 'the missing file' });
    assert.deepEqual(errors[1]?.faults, ['the file cannot be read, ENOENT']);
    write(path, { ...entry('two', '2'), clientSecretFile: '/run/another' });
    await waitFor(() => changes.length === 2, { what: 'the first tenant to go' });
    assert.deepEqual(changes, [['one', 'two'], ['two']]);
    assert.deepEqual(infos, [
      { tenants: 2, added: ['two'], removed: [], changed: [] },
      { tenants: 1, added: [], removed: ['one'], changed: ['two'] },
    ]);
  });

  it('stops the start with every fault by its line', () => {
    const faulty = join(dir, 'faulty.yaml');
    writeFileSync(faulty, 'tenants:\n  - name: A\n    tenantId: b\n');
    assert.throws(() => readTenantsFile(faulty), /TENANTS_FILE: line 2: .*\n.*TENANTS_FILE: line 3: /s);
    assert.throws(() => readTenantsFile(join(dir, 'none')), /TENANTS_FILE: the file cannot be read, ENOENT/);
    assert.throws(() => readTenantsFile(dir), /TENANTS_FILE: the file cannot be read, EISDIR/);
    // To open it waits for its other end, and to read it for what has no end.
    assert.throws(() => readTenantsFile('/dev/zero'), /TENANTS_FILE: the file is no regular file/);
  });
});
