import { inflateRawSync, unzipSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { HeaderValue } from './retry-after.ts';

/** What the server said, as far as it could be read. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, HeaderValue>>;
  /** The parsed JSON body; undefined when it was cut off, too long, empty or not JSON. */
  readonly body: unknown;
}

/** Longest body taken in, packed or unpacked. Defender's answers to a start are under 2 KiB. */
export const maxAnswerBytes = 64 * 1024;

/**
 * Reads a response to its end. A body that breaks off, does not end in time or is no JSON leaves `body` undefined:
 * the status was received and stays worth classifying. Every occurrence of `secret` is blotted out first, since
 * some proxies repeat the request's headers in their error pages.
 */
export async function readAnswer(
  response: Dispatcher.ResponseData,
  secret: string,
  maxBytes = maxAnswerBytes,
): Promise<Answer> {
  const redact = (text: string) => text.replaceAll(secret, '[redacted]');
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, [value ?? []].flat().map(redact)]),
  );
  const text = await readText(response, maxBytes);
  return { status: response.statusCode, headers, body: text === undefined ? undefined : parse(redact(text)) };
}

async function readText(response: Dispatcher.ResponseData, maxBytes: number): Promise<string | undefined> {
  try {
    const bytes = Buffer.from(await response.body.arrayBuffer());
    const encoding = [response.headers['content-encoding'] ?? []].flat().join();
    return unpack(bytes, encoding, maxBytes).toString('utf8');
  } catch {
    return undefined;
  }
}

/** Defender has been seen packing its answers; asking for plain ones is no guarantee. Throws when it cannot unpack. */
function unpack(bytes: Buffer, encoding: string, maxBytes: number): Buffer {
  if (encoding === '' || encoding.toLowerCase() === 'identity') return bytes;
  const limit = { maxOutputLength: maxBytes };
  // "deflate" is zlib's format by the standard and the bare stream with some servers; the first nibble tells.
  const bare = encoding.toLowerCase() === 'deflate' && ((bytes[0] ?? 0) & 0x0f) !== 8;
  return bare ? inflateRawSync(bytes, limit) : unzipSync(bytes, limit);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
