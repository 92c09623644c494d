import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** A text is cut by `clip`, which leaves no half of a character; these may leave one, or make one. */
const cuts: readonly [what: string, pattern: RegExp][] = [
  ['substring or substr', /\.substr(?:ing)?\(/],
  ['String.fromCharCode', /fromCharCode/],
  ['a slice that a mark for what was cut stands behind', /\.slice\([^)]*\)[^;]*…/],
  ['a slice of so many characters', /\.slice\([^).]*\w(?:Length|Characters)\b/],
];
/** Cut to bound memory alone; made whole where it is read. */
const allowed = ['shared/runtime/src/processes/spawn-service.ts'];

const isSource = (file: string) =>
  /^(?:services|shared)\/[^/]+\/src\/.*\.(?:ts|js)$/.test(file) &&
  !/\.test\.ts$|test-support|node_modules/.test(file);

function sources(): string[] {
  return ['services', 'shared']
    .flatMap((group) =>
      readdirSync(new URL(`${group}/`, root), { recursive: true, encoding: 'utf8' }).map(
        (file) => `${group}/${file}`,
      ),
    )
    .filter((file) => isSource(file) && !allowed.includes(file));
}

function cutsIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) =>
      cuts.filter(([, pattern]) => pattern.test(line)).map(([what]) => `${what}: ${line.trim()}`),
    );
}

describe('the sources', () => {
  it('cut no text between the two halves of a character', () => {
    const files = sources();
    assert.ok(files.length > 200);
    const found = files.flatMap((file) =>
      cutsIn(readFileSync(new URL(file, root), 'utf8')).map((cut) => `${file}: ${cut}`),
    );
    assert.deepEqual(found, []);
  });

  it('would be seen to', () => {
    for (const line of [
      'return text.substring(0, 5);',
      'path: pathOf(request).slice(0, maxPathLength),',
      'return `${text.slice(0, room - 1)}…`;',
      'String.fromCharCode(0xd83d)',
    ]) {
      assert.equal(cutsIn(line).length, 1, line);
    }
  });
});
