import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { commands } from '@diq/command-line/command-line.ts';
import { exitCodes } from '@diq/command-line/exit-codes.ts';
import { runDiq } from '../command-line/run-diq.ts';

const file = new URL('../../docs/diq.md', import.meta.url);

/** What `--help` prints. `WRITE_DOCS=1 npx mocha test/docs/diq.test.ts` writes it into the page. */
async function helpBlocks(): Promise<string> {
  const blocks: string[] = [];
  for (const name of ['', ...commands.map(({ usage }) => usage.split(' ')[0] ?? '')]) {
    const { out, code } = await runDiq(name === '' ? ['--help'] : [name, '--help']);
    assert.equal(code, 0);
    blocks.push(`### diq ${name}`.trim() + '\n\n```text\n' + out.trimEnd() + '\n```\n');
  }
  return blocks.join('\n');
}

describe('docs/diq.md', () => {
  const heading = 'As `--help` prints them.\n';

  it('shows each command with its options as --help does', async () => {
    const blocks = `\n${await helpBlocks()}`;
    const page = readFileSync(file, 'utf8');
    assert.ok(page.includes(heading));
    const before = page.slice(0, page.indexOf(heading) + heading.length);
    if (process.env['WRITE_DOCS'] === '1') writeFileSync(file, before + blocks);
    else assert.equal(page.slice(before.length), blocks);
  });

  it('has every exit code with its meaning', () => {
    const page = readFileSync(file, 'utf8');
    const rows = [...page.matchAll(/^\| +(\d+) \| (.+?) +\|$/gm)].map(([, code, meaning]) => ({
      code: Number(code),
      meaning,
    }));
    assert.deepEqual(rows, Object.values(exitCodes));
  });

  it('has every command that there is to be', () => {
    const wanted = 'submit watch get list cancel retry quota queues pause resume doctor';
    assert.equal(commands.map(({ usage }) => usage.split(' ')[0]).join(' '), wanted);
  });
});
