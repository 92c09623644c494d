import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Expression {
  where: string;
  source: string;
  flags: string;
}

/** A literal stands where a value may begin; within brackets a slash does not end it. */
const literal =
  /(?:[=(,:[!&|?{};]|\breturn|=>)\s*\/((?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/([dgimsuvy]*)(?![\w/])/g;

/** Of what is run in production; the simulator and tests stand in front of nothing hostile. */
function expressions(): Expression[] {
  const listed = execFileSync('git', ['ls-files', 'services', 'shared'], { cwd: root, encoding: 'utf8' });
  const files = listed
    .split('\n')
    .filter((file) => /\/src\/.*\.(ts|js)$/.test(file))
    .filter((file) => !/\.test\.ts$|test-support|defender-simulator|shared\/testing/.test(file));
  return files.flatMap((file) =>
    readFileSync(`${root}/${file}`, 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(\/\/|\*|\/\*\*)/.test(line))
      .flatMap((line) =>
        [...line.matchAll(literal)].map(([, source = '', flags = '']) => ({ where: file, source, flags })),
      ),
  );
}

/** What an expression names: its runs of letters, the members of its classes, and one of each kind that it may stand for. */
function atomsOf(source: string): string[] {
  const words = source.match(/[\p{L}\p{N}_-]{2,}/gu) ?? [];
  const singles = source.match(/\\?[^\s\\]/gu) ?? [];
  const named = singles.map((one) => {
    if (one.length === 1) return one;
    const kinds: Record<string, string> = {
      '\\d': '7',
      '\\w': 'a',
      '\\s': ' ',
      '\\n': '\n',
      '\\t': '\t',
      '\\r': '\r',
    };
    return kinds[one] ?? one.slice(1);
  });
  return [...new Set([...words, ...named, 'a', '7', ' ', '\\', '"', '/', 'é'])];
}

const length = 30_000;
/** Where each position is looked at once this takes a hundredth of it; where all are looked at from each, three times as much. */
const mostMs = 150;

function slowestOf({ source, flags }: Expression): { ms: number; run: string } {
  let slowest = { ms: 0, run: '' };
  const atoms = atomsOf(source);
  const runs = atoms.flatMap((atom) => [[``, atom], ...atoms.slice(0, 6).map((first) => [first, atom])]);
  for (const [first = '', atom = ''] of runs) {
    const text = `${first}${atom.repeat(length / atom.length)}\u0001`;
    let ms = Infinity;
    // The quickest of three: the machine may be busy with other things.
    for (let times = 0; times < 3 && ms > mostMs; times += 1) {
      const startedAt = performance.now();
      new RegExp(source, flags).exec(text);
      ms = Math.min(ms, performance.now() - startedAt);
    }
    if (ms > mostMs) return { ms, run: `${first}${atom.repeat(3)}…` };
    if (ms > slowest.ms) slowest = { ms, run: `${first}${atom.repeat(3)}…` };
  }
  return slowest;
}

describe('regular expressions over what others write', function () {
  this.timeout(120_000);

  it('cost what the length costs, for runs of everything that they name', () => {
    const all = expressions();
    assert.ok(all.length > 100, `only ${all.length} were found`);
    const slow = all
      .map((one) => ({ ...one, ...slowestOf(one) }))
      .filter(({ ms }) => ms > mostMs)
      .map(
        ({ where, source, ms, run }) =>
          `${where}: /${source}/ takes ${Math.round(ms)} ms for a run of ${run}`,
      );
    assert.deepEqual(slow, []);
  });

  it('would be noticed otherwise', () => {
    for (const source of ['\\/+$', '\\\\*"x"', 'eyJ[\\w-]{8,}\\.'])
      assert.ok(slowestOf({ where: '', source, flags: '' }).ms > mostMs, source);
  });
});
