import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** A call as a page shows it, with what the page says of the answer. */
export interface CurlExample {
  /** The first line, by which it is recognised. */
  name: string;
  command: string;
  /** From "Answers `202`"; 2xx where the page does not say. */
  status: number | undefined;
  /** The JSON that is shown beneath. */
  shown: unknown;
}

const fence = /^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm;

/** The blocks of a page that call `curl`, in their order. */
export function readCurlExamples(page: string): CurlExample[] {
  const blocks = [...page.matchAll(fence)];
  return blocks.flatMap((block, index) => {
    const [whole, language, command = ''] = block;
    if (language !== 'sh' || !command.includes('curl ')) return [];
    const next = blocks[index + 1];
    const between = page.slice(block.index + whole.length, next?.index);
    const isFollowed = next?.[1] === 'json' && !/^#/m.test(between);
    return [
      {
        name: command.split('\n', 1)[0] ?? '',
        command,
        status: Number(/Answers `(\d{3})`/.exec(between)?.[1]) || undefined,
        shown: isFollowed ? (JSON.parse(next[2] ?? '') as unknown) : undefined,
      },
    ];
  });
}

/** What a call brought. */
export interface CurlAnswer {
  status: number;
  body: string;
}

/** Runs a block as it stands, in a shell of its own; a `.curlrc` makes `curl` add the status. */
export async function runCurl(command: string, variables: Record<string, string>): Promise<CurlAnswer> {
  const home = await mkdtemp(join(tmpdir(), 'curl-'));
  try {
    await writeFile(join(home, '.curlrc'), 'write-out = "\\n%{http_code}"\nmax-time = 10\n');
    const shell = spawn('sh', ['-eu', '-c', command], {
      env: { PATH: process.env['PATH'], CURL_HOME: home, NO_PROXY: '*', ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [output, errors, [code]] = await Promise.all([
      text(shell.stdout),
      text(shell.stderr),
      once(shell, 'close') as Promise<[number]>,
    ]);
    if (code !== 0) throw new Error(`ended with ${code}: ${errors}`);
    const end = output.lastIndexOf('\n');
    return { status: Number(output.slice(end + 1)), body: output.slice(0, end) };
  } finally {
    await rm(home, { recursive: true });
  }
}
