import { Readable } from 'node:stream';
import { runCommandLine } from '@diq/command-line/command-line.ts';

export interface Ran {
  code: number;
  out: string;
  complaints: string;
}

/** Runs `diq` in this process, as in a shell with this environment and nothing else. */
export async function runDiq(
  args: readonly string[],
  { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Ran> {
  let out = '';
  let complaints = '';
  const code = await runCommandLine(args, {
    env,
    homeFolder: '/nonexistent',
    stdin: Readable.from([Buffer.from(stdin)]),
    write: (text) => void (out += text),
    complain: (text) => void (complaints += text),
    terminal: undefined,
    signal: new AbortController().signal,
  });
  return { code, out, complaints };
}
