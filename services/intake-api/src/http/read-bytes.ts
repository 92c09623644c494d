import type { IncomingMessage } from 'node:http';
import { Transform, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ProblemError } from './problem-error.ts';
import type { BodyShare } from './body-budget.ts';

/** Large requests are over within a few seconds. */
const busyRetryAfterSeconds = 5;
/** What a compressed body may grow to for each byte of it; 10,000 items that share one long comment come to half of it. */
const mostExpansion = 200;
/** Below this, growth does no harm. */
const harmlessBytes = 1_024 * 1_024;

const decompressors: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * A request's body, decompressed. Its size, its growth by decompression, and what process and caller have in hand are
 * bounded while the bytes arrive. `stop`: its room is needed for another.
 *
 * @throws ProblemError
 */
export async function readBytes(
  request: IncomingMessage,
  limitBytes: number,
  { share, stop }: { share: BodyShare; stop: AbortSignal },
): Promise<Buffer> {
  // Of a body that is sent as it is; 0 where that is not known before it has come.
  const declared = codingOf(request) === 'identity' ? Number(request.headers['content-length'] ?? 0) : 0;
  if (declared > limitBytes) throw tooLarge(limitBytes);
  if (!share.take(declared)) throw busy();
  try {
    return await readAll(request, limitBytes, { share, declared, stop });
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    // The connection broke, or it was not compressed the way it says.
    throw new ProblemError('invalid_request', { detail: 'The body could not be read to its end.' });
  }
}

/** What was read takes so much more once it is parsed. @throws ProblemError */
export function takeForValues(share: BodyShare, values: number): void {
  if (!share.take(values * valueBytes)) throw busy();
}

/** A value takes some bytes beside its characters: `[],` becomes an object. */
const valueBytes = 32;

async function readAll(
  request: IncomingMessage,
  limitBytes: number,
  { share, declared, stop }: { share: BodyShare; declared: number; stop: AbortSignal },
): Promise<Buffer> {
  const { source, sentBytes } = sourceOf(request);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of until(stop, source)) {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLarge(limitBytes);
    if (sentBytes !== undefined && bytes > harmlessBytes + mostExpansion * sentBytes()) throw expandsTooFar();
    const beyond = Math.min(chunk.length, bytes - declared);
    if (beyond > 0 && !share.take(beyond)) throw busy();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** What comes of it, until it ends or is stopped. @throws ProblemError where it is stopped */
async function* until(stop: AbortSignal, source: Readable): AsyncGenerator<Buffer> {
  const stopped = new Promise<never>((_, reject) => {
    stop.addEventListener('abort', () => reject(busy()), { once: true });
  });
  stopped.catch(() => undefined);
  // The decompressor may go, the request may not.
  const iterator: AsyncIterator<Buffer> = source.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), stopped]);
      if (step.done) return;
      yield step.value;
    }
  } finally {
    // Not waited for: it ends behind what is awaited of it.
    iterator.return?.().catch(() => undefined);
    if (source instanceof Transform) source.destroy();
  }
}

/** The body's bytes, decompressed. A request is left as it is when reading ends early: its answer is still to go out. */
function sourceOf(request: IncomingMessage): { source: Readable; sentBytes?: () => number } {
  const coding = codingOf(request);
  if (coding === 'identity') return { source: request };
  const create = Object.hasOwn(decompressors, coding) ? decompressors[coding] : undefined;
  if (!create) {
    throw new ProblemError('unsupported_media_type', {
      detail: 'Send the body as it is, or compressed with gzip, deflate or br.',
      headers: { 'Accept-Encoding': 'gzip, deflate, br' },
    });
  }
  const expanded = create();
  let sent = 0;
  request.on('data', (chunk: Buffer) => (sent += chunk.length));
  // `pipeline` would end the request with the decompressor, and its answer could not go out.
  request.on('error', (error) => expanded.destroy(error));
  request.once('close', () => {
    if (!request.complete) expanded.destroy(new Error('the request ended before its body'));
  });
  expanded.once('close', () => request.unpipe(expanded));
  request.pipe(expanded);
  return { source: expanded, sentBytes: () => sent };
}

function codingOf({ headers }: IncomingMessage): string {
  return (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
}

function tooLarge(limitBytes: number): ProblemError {
  return new ProblemError('body_too_large', { detail: `The route takes at most ${limitBytes} bytes.` });
}

function expandsTooFar(): ProblemError {
  return new ProblemError('body_too_large', {
    detail: `A compressed body may grow to at most ${mostExpansion} times what was sent.`,
  });
}

function busy(): ProblemError {
  return new ProblemError('intake_busy', {
    detail: 'The intake handles as many bytes as it has room for. Repeat after the time in Retry-After.',
    headers: { 'Retry-After': String(busyRetryAfterSeconds) },
  });
}
