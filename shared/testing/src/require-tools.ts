import { spawnSync } from 'node:child_process';
import { skipBecause } from './skip-because.ts';

/** What CI may lack, although it asks for all tools. */
const mayBeMissing: Readonly<Record<string, string>> = {
  kubectl:
    'Debian has version 1.20, whose kustomize is too old for the overlays; others come from no Debian archive',
};

/** Asked for their version in another way than by `--version`. */
const asksForVersion: Readonly<Record<string, readonly string[]>> = { kubectl: ['version', '--client'] };

/**
 * For `before(requireTools('promtool'))`: skips, saying why in the titles, where a program is not on the PATH; throws
 * instead when REQUIRE_TOOLS=1, as CI sets it.
 */
export function requireTools(...names: readonly string[]) {
  return function (this: Mocha.Context): void {
    const missing = names.find((name) => spawnSync(name, asksForVersion[name] ?? ['--version']).status !== 0);
    if (missing !== undefined) lackTool(this, missing);
  };
}

/** The same for a test or hook that has looked for a tool by itself, which need be no program on the PATH. */
export function lackTool(context: Mocha.Context, tool: string, reason = `no ${tool} on the PATH`): never {
  if (process.env['REQUIRE_TOOLS'] === '1' && !(tool in mayBeMissing)) throw new Error(reason);
  return skipBecause(context, reason);
}
