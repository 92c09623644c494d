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
  {
    env = {},
    stdin = '',
    signal = new AbortController().signal,
  }: { env?: Record<string, string>; stdin?: string | Readable; signal?: AbortSignal } = {},
): Promise<Ran> {
  let out = '';
  let complaints = '';
  const code = await runCommandLine(args, {
    env,
    homeFolder: '/nonexistent',
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    write: (text) => void (out += text),
    complain: (text) => void (complaints += text),
    terminal: undefined,
    signal,
  });
  return { code, out, complaints };
}
