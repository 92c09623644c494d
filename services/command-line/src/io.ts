import { addAbortSignal, type Readable } from 'node:stream';
import type { Env } from '@diq/runtime/settings/read-settings.ts';

/** All that a command has of the world outside, beside the service. */
export interface Io {
  readonly env: Env;
  readonly homeFolder: string;
  readonly stdin: Readable;
  /** The answer. */
  write(text: string): void;
  /** Progress and faults, which are no part of the answer. */
  complain(text: string): void;
  /** Where progress is shown, if that is a terminal. */
  readonly terminal: NodeJS.WritableStream | undefined;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * Reads stdin to its end, or until the signal ends it: who types into a terminal may never.
 *
 * @throws RangeError for more than so many bytes
 */
export async function readStdin(
  { stdin, signal }: Pick<Io, 'stdin' | 'signal'>,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of addAbortSignal(signal, stdin)) {
    const piece = Buffer.from(chunk as Uint8Array);
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks);
}
