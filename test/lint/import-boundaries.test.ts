import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const oxlint = fileURLToPath(new URL('../../node_modules/oxlint/bin/oxlint', import.meta.url));

/** The folder of a file, and the imports that are refused there. */
const walls: readonly [where: string, imports: readonly string[]][] = [
  [
    'services/intake-api/src',
    ['@diq/worker/config.ts', '../../worker/src/config.ts', '@diq/testing/wait-for.ts', 'node:process'],
  ],
  ['services/worker/src', ['@diq/intake-api/config.ts', '../../../shared/testing/src/wait-for.ts']],
  ['services/defender-simulator/src', ['@diq/contracts/status.ts', '../../worker/src/config.ts']],
  [
    'services/defender-simulator/src/entra',
    ['../defender/quota.ts', '../control/control-routes.ts', '../simulator.ts', '@diq/contracts/status.ts'],
  ],
  [
    'services/defender-simulator/src/defender',
    ['../entra/entra-errors.ts', '../control/control-routes.ts', '@diq/runtime/logging/logger.ts'],
  ],
  [
    'services/command-line/src',
    ['@diq/worker/doctor/examine.ts', '../../worker/src/config.ts', 'node:process'],
  ],
  [
    'shared/client/src',
    ['@diq/command-line/io.ts', '@diq/testing/wait-for.ts', '@diq/intake-api/openapi/create-document.ts'],
  ],
  ['shared/quota/src', ['@diq/testing/wait-for.ts', '@diq/worker/config.ts', '@diq/queue/store-keys.ts']],
  ['shared/queue/src', ['@diq/quota/ledger/ledger.ts', '@diq/intake-api/main.ts']],
  ['shared/queue/src/operations', ['@diq/quota/forecast.ts']],

  [
    'services/worker/src/maintenance',
    ['../bootstrap/open-worker.ts', '../config.ts', '@diq/testing/wait-for.ts'],
  ],
  ['services/worker/src/look-ahead', ['../maintenance/maintenance.ts', '../bootstrap/open-queue.ts']],
  [
    'services/worker/src/reconciliation',
    ['../look-ahead/look-ahead.ts', '../maintenance/maintenance.ts', '../bootstrap/open-queue.ts'],
  ],
  [
    'services/worker/src/execution',
    ['../reconciliation/reconciler.ts', '../maintenance/maintenance.ts', '../config.ts'],
  ],
  ['services/worker/src/scheduling', ['../execution/execute-task.ts', '../defender/defender-client.ts']],
  [
    'services/worker/src/observability',
    ['../execution/execute-task.ts', '../reconciliation/reconciler.ts', '../scheduling/poll-turns.ts'],
  ],
  [
    'services/worker/src/defender',
    ['../observability/metrics.ts', '../execution/execute-task.ts', '../config.ts'],
  ],
  ['services/worker/src/defender/auth', ['../../observability/metrics.ts', '@diq/intake-api/main.ts']],

  [
    'services/intake-api/src/status-page',
    ['../routes/index.ts', '../submission/validate-items.ts', '../app.ts'],
  ],
  [
    'services/intake-api/src/routes',
    [
      '../open-intake.ts',
      '../status-page/page-files.ts',
      '../app.ts',
      '../config/config.ts',
      '../front-door/front-door.ts',
      '../mcp/tools.ts',
    ],
  ],
  [
    'services/intake-api/src/mcp',
    ['../routes/index.ts', '../submission/validate-items.ts', '../auth/api-keys.ts', '../app.ts'],
  ],
  [
    'services/intake-api/src/front-door',
    [
      '../routes/index.ts',
      '../open-intake.ts',
      '../status-page/page-files.ts',
      '../observability/metrics.ts',
    ],
  ],
  ['services/intake-api/src/openapi', ['../routes/index.ts', '../auth/authenticate.ts']],
  [
    'services/intake-api/src/live-state',
    ['../routes/index.ts', '../submission/validate-items.ts', '../http/cursor.ts', '../auth/api-keys.ts'],
  ],
  [
    'services/intake-api/src/callbacks',
    ['../submission/validate-items.ts', '../estimates/queue-state.ts', '../http/cursor.ts'],
  ],
  [
    'services/intake-api/src/submission',
    [
      '../routes/index.ts',
      '../views/request-view.ts',
      '../observability/metrics.ts',
      '../dependencies.ts',
      '@diq/worker/config.ts',
    ],
  ],
  [
    'services/intake-api/src/observability',
    ['../routes/index.ts', '../views/request-view.ts', '../live-state/state-feed.ts'],
  ],
  [
    'services/intake-api/src/views',
    ['../submission/validate-items.ts', '../live-state/state-feed.ts', '../auth/api-keys.ts'],
  ],
  [
    'services/intake-api/src/estimates',
    [
      '../submission/item-refusal.ts',
      '../live-state/state-feed.ts',
      '../views/request-view.ts',
      '../http/cursor.ts',
    ],
  ],
  [
    'services/intake-api/src/auth',
    ['../submission/validate-items.ts', '../estimates/queue-state.ts', '../dependencies.ts'],
  ],
  [
    'services/intake-api/src/http',
    [
      '../auth/api-keys.ts',
      '../estimates/queue-state.ts',
      '../live-state/state-feed.ts',
      '../submission/validate-items.ts',
    ],
  ],
  [
    'services/intake-api/src/http/middleware',
    ['../../auth/authenticate.ts', '../../observability/metrics.ts'],
  ],
  [
    'services/intake-api/src/config',
    [
      '../auth/api-keys.ts',
      '../http/problem-error.ts',
      '../submission/admission-control.ts',
      '@diq/testing/wait-for.ts',
    ],
  ],
];

/** Imports down the order of the rooms, and the one exception. */
const allowed = [
  'services/intake-api/src/open-intake.ts',
  'services/intake-api/src/submission/admission-control.ts',
  'services/defender-simulator/src/control/control-routes.ts',
  'services/worker/src/bootstrap/open-worker.ts',
  'services/worker/src/maintenance/maintenance.ts',
  'services/worker/src/reconciliation/reconciler.ts',
  'services/worker/src/execution/process-job.ts',
  'shared/queue/src/operations/queue-pause.ts',
];

/** @returns what oxlint reports of a file of each folder that makes these imports, by file name */
function lintProbes(): Map<string, string> {
  const probes = walls.flatMap(([where, imports], wall) =>
    imports.map((imported, i) => ({
      file: `${where}/boundary-probe-${wall}-${i}.ts`,
      text: `import * as probe from '${imported}';\nexport const seen = probe;\n`,
    })),
  );
  try {
    for (const { file, text } of probes) writeFileSync(`${root}${file}`, text);
    const { stdout } = spawnSync(
      process.execPath,
      [oxlint, '--format=unix', ...probes.map(({ file }) => file)],
      { cwd: root, encoding: 'utf8' },
    );
    const reports = stdout.split('\n').filter((line) => line.includes('no-restricted-imports'));
    return new Map(reports.map((line) => [line.slice(0, line.indexOf(':')), line]));
  } finally {
    for (const { file } of probes) rmSync(`${root}${file}`, { force: true });
  }
}

describe('import boundaries', () => {
  let reports: Map<string, string>;
  before(() => (reports = lintProbes()));

  for (const [wall, [where, imports]] of walls.entries()) {
    for (const [i, imported] of imports.entries()) {
      it(`keep ${where} from importing ${imported}`, () => {
        assert.ok(reports.has(`${where}/boundary-probe-${wall}-${i}.ts`));
      });
    }
  }

  it('let a service import what is shared, and a room import from the rooms below', () => {
    const { status, stdout } = spawnSync(process.execPath, [oxlint, ...allowed], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout);
  });
});
