import { spawnSync } from 'node:child_process';
import { skipBecause } from '@diq/testing/skip-because.ts';

/**
 * For `before(requirePrograms('promtool'))`: skips, saying why in the titles, where one is not installed; throws
 * instead when REQUIRE_PROMETHEUS=1.
 */
export function requirePrograms(...names: readonly string[]) {
  return function (this: Mocha.Context): void {
    const missing = names.filter((name) => spawnSync(name, ['--version']).status !== 0);
    if (missing.length === 0) return;
    const reason = `${missing.join(' and ')} not on the PATH`;
    if (process.env['REQUIRE_PROMETHEUS'] === '1') throw new Error(reason);
    skipBecause(this, reason);
  };
}
