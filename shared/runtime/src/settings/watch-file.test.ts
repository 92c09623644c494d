import assert from 'node:assert/strict';
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

  it('is parsed again, ever more rarely, while the parser fails or gives up; a faulty content is parsed once', async () => {
    const said: string[] = [];
    const parsedAtMs: number[] = [];
    const failing = [
      () => Promise.reject(new Error('no thread')),
      () => ({ ok: false as const, faults: ['out of memory'], gaveUp: true }),
      () => Promise.reject(new Error('no thread')),
    ];
    writeFileSync(path, 'first');
    const stop = watchFile<string>({
      setting: 'SETTING',
      path,
      parse(text) {
        parsedAtMs.push(performance.now());
        const fail = failing[parsedAtMs.length - 1];
        if (fail) return fail();
        return text === 'faulty' ? { ok: false, faults: [text] } : { ok: true, value: text };
      },
      maxBytes: 1_000,
      onChange: (text) => void said.push(text),
      logger: { error: (about: object) => void said.push(String(Object.values(about))) },
      intervalMs: 5,
    });
    try {
      for (const text of ['first', 'faulty', 'last']) {
        writeFileSync(`${path}.new`, text);
        renameSync(`${path}.new`, path);
        await waitFor(() => said.includes(text), { what: text });
      }
      assert.deepEqual(said, [
        'Error: no thread',
        'out of memory',
        'Error: no thread',
        'first',
        'faulty',
        'last',
      ]);
      const [, , third = 0, fourth = 0] = parsedAtMs;
      // Four looks: a timer is early by a millisecond at most.
      assert.ok(fourth - third >= 16, `parsed again after ${fourth - third} ms`);
    } finally {
      await stop();
    }
  });
});
