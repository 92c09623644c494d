import { spawnSync } from 'node:child_process';

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
    // Mocha has no words for a skip, so they go into the titles.
    this.test?.parent?.eachTest((test) => (test.title += ` (${reason})`));
    this.skip();
  };
}
