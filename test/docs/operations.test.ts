import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { operationNames, profileOf, type OperationName } from '@diq/contracts/operations/index.ts';

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

/** An operation as docs/api.md shows it. */
function rowOf(name: OperationName): string[] {
  const { parameters, limits, requiredRole, risk, title } = profileOf(name);
  const { properties = {} } = z.toJSONSchema(parameters, { io: 'input' });
  const shown = Object.entries(properties).map(([field, schema]) => {
    const { enum: values, type } = typeof schema === 'object' ? schema : {};
    const kinds = values?.map((value) => `\`${String(value)}\``) ?? [String(type)];
    return `\`${field}\`: ${kinds.join(', ')}`;
  });
  const windows = limits.map(({ calls, windowMs }) => `${calls} in ${windowMs / 60_000} min`);
  return [
    `\`${name}\``,
    title,
    shown.join('; ') || '–',
    windows.join(', '),
    `\`${requiredRole}\``,
    `\`${risk}\``,
  ];
}

describe('the operations in docs/api.md', () => {
  it('are those that there are, with what their profiles say', () => {
    const [, section = ''] = read('docs/api.md').split('\n## Operations\n');
    const [, ...rows] = (section.split('\n## ')[0] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
      .filter(([first = '']) => !/^-+$/.test(first));
    assert.deepEqual(rows, operationNames.map(rowOf));
  });
});

describe('docs/add-an-operation.md', () => {
  it('names files that there are, and every field of a profile', () => {
    const page = read('docs/add-an-operation.md');
    const files = [...page.matchAll(/`((?:shared|services|docs|test)\/[\w./-]+\.\w+)`/g)].map(
      ([, file = '']) => file,
    );
    assert.ok(files.length >= 6);
    for (const file of files) assert.ok(read(file).length > 0, file);
    for (const field of new Set(operationNames.flatMap((name) => Object.keys(profileOf(name)))))
      assert.ok(page.includes(`\`${field}\``), field);
  });
});
