import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@diq/testing/wait-for.ts';
import { watchFile } from './watch-file.ts';

describe('a watched file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'watch-file-'));
  const path = join(dir, 'settings');
  after(() => rmSync(dir, { recursive: true }));

  it('is read again after it was none, a pipe, a device or too large, each of which is named', async () => {
    const said: string[] = [];
    writeFileSync(path, 'first');
    const stop = watchFile({
      setting: 'SETTING',
      path,
      parse: (text) => ({ ok: true, value: text }),
      maxBytes: 1_000,
      onChange: (text) => void said.push(text),
      logger: { error: (about: object) => void said.push(String(Object.values(about))) },
      intervalMs: 5,
    });
    const come = async (make: (at: string) => void, what: string) => {
      const before = said.length;
      make(`${path}.new`);
      rmSync(path, { recursive: true, force: true });
      renameSync(`${path}.new`, path);
      await waitFor(() => said.slice(before).includes(what), { what });
    };
    try {
      await waitFor(() => said.length > 0, { what: 'the first content' });
      const large = (at: string) => {
        writeFileSync(at, '');
        truncateSync(at, 1_001);
      };
      await come((at) => execFileSync('mkfifo', [at]), 'the file is no regular file');
      await come((at) => writeFileSync(at, 'second'), 'second');
      await come((at) => symlinkSync('/dev/zero', at), 'the file is no regular file');
      await come(large, 'the file is too large');
      await come((at) => mkdirSync(at), 'the file cannot be read, EISDIR');
      await come((at) => writeFileSync(at, 'third'), 'third');
    } finally {
      await stop();
    }
  });
});
