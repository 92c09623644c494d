import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@diq/testing/wait-for.ts';
import { captureLog } from '../test-support/capture-log.ts';
import { credentialFaults } from './check-credential.ts';
import { makeCertificate } from './test-support/certificate.ts';
import { watchCertificate } from './watch-certificate.ts';

const dayMs = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs);

describe('the certificate for Entra ID', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'diq-certificate-'));
    path = join(folder, 'certificate.pem');
  });
  afterEach(() => rm(folder, { recursive: true }));

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

  it('is warned of a month before it expires, and no more once it was replaced', async () => {
    const { logger, lines } = captureLog();
    await write(inDays(-1), inDays(29.5));
    const stop = watchCertificate({ kind: 'certificate', path }, logger, 20);
    await waitFor(() => lines.length > 1, { what: 'two warnings' });
    await write(inDays(-1), inDays(365));
    await waitFor(
      async () => {
        const before = lines.length;
        await new Promise((resolve) => setTimeout(resolve, 60));
        return lines.length === before;
      },
      { what: 'the end of the warnings' },
    );
    await stop();
    const told = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.deepEqual([told['level'], told['daysLeft']], ['warn', 29]);
    assert.match(String(told['expiresAt']), /^\d{4}-\d\d-\d\dT/);
  });
});
