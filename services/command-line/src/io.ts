import type { Env } from '@diq/runtime/settings/read-settings.ts';

/** All that a command has of the world outside, beside the service. */
export interface Io {
  readonly env: Env;
  readonly homeFolder: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** The answer. */
  write(text: string): void;
  /** Progress and faults, which are no part of the answer. */
  complain(text: string): void;
  /** Where progress is shown, if that is a terminal. */
  readonly terminal: NodeJS.WritableStream | undefined;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** @throws RangeError for more than so many bytes */
export async function readStdin({ stdin }: Pick<Io, 'stdin'>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk as Uint8Array);
    bytes += piece.byteLength;
    if (bytes > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`);
    chunks.push(piece);
  }
  return Buffer.concat(chunks);
}
