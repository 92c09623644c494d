import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { lackTool } from '@diq/testing/require-tools.ts';

/** Debian's own, whatever other one is on the PATH. */
const python = '/usr/bin/python3';
const standIns = fileURLToPath(new URL('./stand-ins/', import.meta.url));

/** For `before(requirePython())`: skips, or fails in CI, where Python lacks what the platforms have. */
export function requirePython() {
  return function (this: Mocha.Context): void {
    if (spawnSync(python, ['-c', 'import requests']).status === 0) return;
    lackTool(this, 'python3', `no ${python} with the package requests`);
  };
}

/** Runs a program of a platform, with stand-ins for what the platform brings; resolves to what it printed. */
export async function runPython(
  program: URL,
  { input = '', args = [] }: { input?: string; args?: readonly string[] },
): Promise<{ code: number; output: string; complaint: string }> {
  return run([fileURLToPath(program), ...args], input);
}

/** Runs this code; resolves to what it printed. */
export async function runPythonCode(code: string): Promise<string> {
  const { output, complaint, code: end } = await run(['-'], code);
  if (end !== 0) throw new Error(complaint);
  return output;
}

async function run(args: readonly string[], input: string) {
  const child = spawn(python, args, {
    env: { PATH: '/usr/bin:/bin', NO_PROXY: '*', PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: standIns },
  });
  child.stdin.end(input);
  const [output, complaint, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { code, output, complaint };
}
