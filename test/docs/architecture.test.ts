import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { allowedMoves } from '@diq/contracts/status.ts';
import { taskMoves } from '@diq/queue/tasks/task-states.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const page = read('ARCHITECTURE.md');

/** The list items of a section, each with the lines that belong to it. */
function itemsOf(heading: string): string[] {
  const after = page.split(new RegExp(`^#+ ${heading}.*\n`, 'm'))[1] ?? '';
  const section = after.split(/^#+ /m)[0] ?? '';
  return section
    .split(/^(?=(?:-|\d+\.) )/m)
    .slice(1)
    .map((item) => item.replace(/\s+/g, ' ').trim());
}

/** Test files of an item, with the titles named. */
function expectTests(item: string): void {
  const named = [...item.matchAll(/`([\w./-]+\.test\.ts)`(?:: "([^"]+)")?/g)];
  assert.ok(named.length > 0, 'no test is named');
  for (const [, file = '', title] of named) {
    assert.ok(existsSync(new URL(file, root)), `${file} does not exist`);
    if (title !== undefined)
      assert.ok(read(file).includes(`it('${title}'`), `${file} has no test "${title}"`);
  }
}

/** From → to, out of a list of moves. */
const movesIn = (items: readonly string[]) =>
  items.map((item) => /^- `(\w+)` → `(\w+)`: /.exec(item)?.slice(1).join(' → ') ?? item).toSorted();

describe('ARCHITECTURE.md', () => {
  it('gives each word one meaning', () => {
    const words = itemsOf('Words').flatMap((item) =>
      [...item.matchAll(/\*\*([^*]+)\*\*/g)].map(([, word]) => word),
    );
    assert.ok(words.length > 20);
    assert.deepEqual([...new Set(words)], words);
  });

  describe('the invariants', () => {
    const invariants = itemsOf('The invariants');

    it('are all twelve', () => {
      assert.deepEqual(
        invariants.map((item) => Number.parseInt(item, 10)),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
      );
    });

    for (const item of invariants)
      it(`name tests that exist: ${item.split('**')[1]}`, () => expectTests(item));
  });

  it('names every move of a request, and no other', () => {
    const allowed = Object.entries(allowedMoves).flatMap(([from, to]) => to.map((end) => `${from} → ${end}`));
    assert.deepEqual(movesIn(itemsOf('The states of a request')), allowed.toSorted());
  });

  it('names every move of a task, and no other', () => {
    const offered = Object.values(taskMoves).flatMap(({ from, to }) =>
      from.map((state) => `${state} → ${to}`),
    );
    assert.deepEqual(movesIn(itemsOf('The states of a task')), [...new Set(offered)].toSorted());
  });

  it('answers each question of a newcomer with files that exist', () => {
    const answers = itemsOf('Where do I find');
    assert.equal(answers.length, 15);
    for (const answer of answers) {
      const files = [...answer.matchAll(/`((?:deploy|services|shared)\/[^`]+)`/g)].map(
        ([, file = '']) => file,
      );
      assert.ok(files.length > 0, `no file: ${answer}`);
      for (const file of files) assert.ok(existsSync(new URL(file, root)), `${file} does not exist`);
    }
  });

  describe('what an upgrade can break', () => {
    const items = itemsOf('What an upgrade can break').map((item) => ({
      item,
      file: / in `([^`]+)`/.exec(item)?.[1] ?? '',
    }));

    for (const { item, file } of items) {
      it(`stands in ${file}, with a test`, () => {
        const source = read(file);
        const parts = /: ((?:`[^`]+`(?:, )?)+)\./.exec(item)?.[1] ?? '';
        const names = [...parts.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
        assert.ok(names.length > 0, 'nothing is named');
        assert.deepEqual(
          names.filter((name) => !source.includes(name)),
          [],
        );
        expectTests(item);
      });
    }

    it('names every file that reaches into private parts', () => {
      const privateParts =
        /\bas unknown as\b|Reflect\.set\(|\bReflect\.get\(\w+, '_|\w\['[a-z]\w*'\]\.bind|\.setPrototypeOf\(|\.(?:pipeline|write|defineCommand) = |\._[a-z]/;
      const files = ['services', 'shared']
        .flatMap((room) =>
          readdirSync(new URL(room, root), { recursive: true, encoding: 'utf8' }).map(
            (file) => `${room}/${file}`,
          ),
        )
        .filter((file) => /^\w+\/[\w-]+\/src\/.*\.ts$/.test(file))
        .filter((file) => !/\.test\.ts$|\/test-support\/|defender-simulator|shared\/testing/.test(file))
        .filter((file) => privateParts.test(read(file)));
      assert.ok(files.length > 5);
      const named = new Set(items.map(({ file }) => file));
      assert.deepEqual(
        files.filter((file) => !named.has(file)),
        [],
      );
    });
  });

  it('names only source files that exist', () => {
    const sources = ['services', 'shared', 'test']
      .flatMap((room) => readdirSync(new URL(room, root), { recursive: true, encoding: 'utf8' }))
      .map((file) => `/${file}`);
    const named = [...page.matchAll(/(?<=[`\s/])[\w-]+(?:\/[\w-]+)*(?:\.test)?\.(?:ts|lua)\b/g)].map(
      ([file]) => file,
    );
    assert.ok(named.length > 50);
    const isThere = (file: string) =>
      sources.some((source) => source.endsWith(`/${file.replace(/^(?:services|shared|test)\//, '')}`));
    assert.deepEqual(
      named.filter((file) => !isThere(file)),
      [],
    );
  });

  it('can be read in a terminal: no line is longer than 150 characters, but for titles of tests', () => {
    assert.deepEqual(
      page.split('\n').filter((line) => line.length > 150 && !/^ +(?:- `.*`: )?"/.test(line)),
      [],
    );
  });
});
