import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { credentialFaults, watchCertificate } from './check-credential.ts';
import { makeCertificate } from '../test-support/certificate.ts';

const dayMs = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs);

describe('the certificate for Entra ID', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-certificate-'));
    path = join(folder, 'certificate.pem');
  });
  afterEach(async () => {
    mock.timers.reset();
    await rm(folder, { recursive: true });
  });

  const write = async (from: Date, to: Date) => {
    const { key, cert } = await makeCertificate('worker', { from, to });
    await writeFile(path, `${key}\n${cert}`);
  };
  const faults = (kind: 'certificate' | 'federated' = 'certificate') => credentialFaults({ kind, path });

  it('must be valid at the start', async () => {
    await write(inDays(-400), inDays(-1));
    assert.match((await faults()).join(), /^AZURE_CLIENT_CERTIFICATE_PATH: the certificate has expired /);
    await write(inDays(1), inDays(400));
    assert.match(
      (await faults()).join(),
      /^AZURE_CLIENT_CERTIFICATE_PATH: the certificate is not valid yet /,
    );
    await write(inDays(-1), inDays(1));
    assert.deepEqual(await faults(), []);
  });

  it('must be that of its key', async () => {
    const [one, other] = [await makeCertificate('one'), await makeCertificate('other')];
    await writeFile(path, `${one.key}\n${other.cert}`);
    assert.match((await faults()).join(), /the private key is not that of the first certificate/);
  });

  it('or the token in its place, must be there and be one', async () => {
    for (const content of ['', '\n', 'two words', 'line\nend', 'nul\u0000']) {
      await writeFile(path, content);
      assert.match((await faults('federated')).join(), /^AZURE_FEDERATED_TOKEN_FILE: the file is empty/);
    }
    await writeFile(path, 'eyJhbGciOi.J9.x-_\n');
    assert.deepEqual(await faults('federated'), []);
  });

  it('is warned of each day from a month before it expires, and no more once it was replaced', async () => {
    const warnings: object[] = [];
    const progress = new EventEmitter();
    const warn = (fields: object) => {
      warnings.push(fields);
      progress.emit('warned');
    };
    await write(inDays(-1), inDays(29.5));
    mock.timers.enable({ apis: ['setTimeout'] });
    const stop = watchCertificate({ kind: 'certificate', path }, { warn });
    await once(progress, 'warned');
    await new Promise(setImmediate);
    mock.timers.tick(dayMs);
    await once(progress, 'warned');
    await new Promise(setImmediate);
    await write(inDays(-1), inDays(365));
    mock.timers.tick(dayMs);
    // Waits for the look that is under way.
    await stop();
    const [first, second, ...others] = warnings as { daysLeft: number; expiresAt: string }[];
    assert.deepEqual([first?.daysLeft, second?.daysLeft, others], [29, 29, []]);
    assert.match(String(first?.expiresAt), /^\d{4}-\d\d-\d\dT/);
  });
});
