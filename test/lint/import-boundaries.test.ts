import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const oxlint = fileURLToPath(new URL('../../node_modules/oxlint/bin/oxlint', import.meta.url));

/** Where a file would stand, and what it may not import from there. */
const walls: readonly [where: string, imports: readonly string[]][] = [
  [
    'services/intake-api/src',
    ['@diq/worker/config.ts', '../../worker/src/config.ts', '@diq/testing/wait-for.ts', 'node:process'],
  ],
  ['services/worker/src', ['@diq/intake-api/config.ts', '../../../shared/testing/src/wait-for.ts']],
  ['services/defender-simulator/src', ['@diq/contracts/status.ts', '../../worker/src/config.ts']],
  ['shared/quota/src', ['@diq/testing/wait-for.ts', '@diq/worker/config.ts']],
];

describe('import boundaries', () => {
  for (const [where, imports] of walls) {
    for (const imported of imports) {
      it(`keep ${where} from importing ${imported}`, () => {
        const file = `${where}/boundary-probe-${process.pid}.ts`;
        writeFileSync(
          `${root}${file}`,
          `import * as probe from '${imported}';\nexport const seen = probe;\n`,
        );
        try {
          const { status, stdout } = spawnSync(process.execPath, [oxlint, file], {
            cwd: root,
            encoding: 'utf8',
          });
          assert.notEqual(status, 0, stdout);
          assert.match(stdout, /no-restricted-imports/);
        } finally {
          rmSync(`${root}${file}`);
        }
      });
    }
  }

  it('let a service import what is shared', () => {
    const args = [
      oxlint,
      'services/intake-api/src/open-intake.ts',
      'services/worker/src/bootstrap/open-worker.ts',
    ];
    assert.equal(spawnSync(process.execPath, args, { cwd: root }).status, 0);
  });
});
