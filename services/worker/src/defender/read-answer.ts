import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import type { HeaderValue } from '@diq/runtime/http-server/retry-after.ts';
import { codeOf } from './single-use-connection.ts';

/** Why a body says nothing. `cut_off`: it broke off, did not end in time or cannot be unpacked. */
export type BodyFault = 'cut_off' | 'too_long' | 'unknown_coding' | 'not_json';

/** What the server said, as far as it could be read. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, HeaderValue>>;
  /** The parsed JSON body; undefined when there is none that can be read. */
  readonly body: unknown;
  /** Its length, unpacked. */
  readonly bodyBytes?: number;
  /** Why `body` is undefined. */
  readonly bodyFault?: BodyFault;
}

/** Defender's answers to a start are under 2 KiB. */
export const maxAnswerBytes = 64 * 1024;

/**
 * Reads a response of Defender or Entra ID to its end: the one place that undoes codings and reads JSON. Whatever is
 * wrong with the body, the status was received and stays worth classifying. Bytes that are no UTF-8 become U+FFFD, which
 * stands in no id or token that is accepted, so that a damaged word spoils nothing beside it. Never rejects.
 *
 * @param secret blotted out wherever it occurs: some proxies repeat the request's headers in their error pages
 * @param maxBytes longest body taken in, packed (which the connection must see to) or unpacked
 */
export async function readAnswer(
  response: Dispatcher.ResponseData,
  { secret = '', maxBytes = maxAnswerBytes } = {},
): Promise<Answer> {
  const redact = (text: string) => (secret === '' ? text : text.replaceAll(secret, '[redacted]'));
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, [value ?? []].flat().map(redact)]),
  );
  const read = await readBody(response, redact, maxBytes).catch((error: unknown) => faultOf(error));
  return { status: response.statusCode, headers, ...read };
}

type ReadBody = Pick<Answer, 'body' | 'bodyBytes' | 'bodyFault'>;

class UnknownCoding extends Error {
  override readonly name = 'UnknownCoding';
}

async function readBody(
  response: Dispatcher.ResponseData,
  redact: (text: string) => string,
  maxBytes: number,
): Promise<ReadBody> {
  const packed = await bytesOf(response.body);
  const codings = [response.headers['content-encoding'] ?? []].flat().join();
  const bytes = unpack(packed, codings, maxBytes);
  if (!isModestJson(bytes)) return { body: undefined, bodyFault: 'too_long' };
  // A mark of byte order is no JSON, but a reader may pass over it (RFC 8259, 8.1); gateways in a row add one each.
  const text = bytes.toString('utf8').replace(/^\uFEFF+/, '');
  try {
    return { body: JSON.parse(redact(text)) as unknown, bodyBytes: bytes.length };
  } catch {
    return { body: undefined, bodyFault: 'not_json' };
  }
}

/** In one piece: of a body in tiny ones, each would hold all in memory that came with it. */
async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  let bytes = Buffer.alloc(16 * 1024);
  let length = 0;
  for await (const piece of body) {
    const end = length + piece.length;
    if (end > bytes.length) bytes = Buffer.concat([bytes], Math.max(end, 2 * bytes.length));
    bytes.set(piece, length);
    length = end;
  }
  return bytes.subarray(0, length);
}

function faultOf(error: unknown): ReadBody {
  const code = codeOf(error);
  const isTooLong = code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || code === 'ERR_BUFFER_TOO_LARGE';
  const bodyFault = error instanceof UnknownCoding ? 'unknown_coding' : isTooLong ? 'too_long' : 'cut_off';
  return { body: undefined, bodyFault };
}

type Unpack = (bytes: Buffer, limit: { maxOutputLength: number }) => Buffer;

const unpackBy: Readonly<Record<string, Unpack>> = {
  identity: (bytes) => bytes,
  gzip,
  'x-gzip': gzip,
  deflate,
  br: (bytes, limit) => brotliDecompressSync(bytes, limit),
};
/** More codings than are ever applied on top of each other; each may cost as much as the body is allowed to be long. */
const maxCodings = 4;

/**
 * All requests ask for plain answers, and proxies pack them all the same.
 *
 * @throws UnknownCoding, or zlib's error when it cannot unpack or the content is longer than `maxBytes`
 */
function unpack(packed: Buffer, codings: string, maxBytes: number): Buffer {
  const steps = codings
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '')
    .map((coding) => (Object.hasOwn(unpackBy, coding) ? unpackBy[coding] : undefined));
  if (steps.length > maxCodings) throw new UnknownCoding();
  let bytes = packed;
  // The one that was applied last is undone first.
  for (const step of steps.toReversed()) {
    if (step === undefined) throw new UnknownCoding();
    bytes = step(bytes, { maxOutputLength: maxBytes });
  }
  return bytes;
}

/** Some proxies unpack and leave the header as it was. */
function gzip(bytes: Buffer, limit: { maxOutputLength: number }): Buffer {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return isPacked ? gunzipSync(bytes, limit) : bytes;
}

/** zlib's format by the standard, and the bare stream with some servers. */
function deflate(bytes: Buffer, limit: { maxOutputLength: number }): Buffer {
  try {
    return inflateSync(bytes, limit);
  } catch (error) {
    if (codeOf(error) !== 'Z_DATA_ERROR') throw error;
    return inflateRawSync(bytes, limit);
  }
}

/** Up to here a document is small, whatever it is made of. */
const smallBytes = 64 * 1024;
/**
 * Brackets and commas: each costs up to 60 bytes once parsed, and a microsecond. A page of 10,000 rows with all members
 * has 500,000; 16 MB of members as short as Defender's have a million.
 */
const maxMarks = 1_200_000;
/**
 * Different names of members: for each new one, `JSON.parse` takes up to a hundred times as long as for a value. Defender's
 * lists have below a hundred.
 */
const maxNames = 1_000;
/** Defender's lists are 4 deep, with evidence 6. */
const maxDepth = 64;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];

/**
 * Whether parsing this JSON takes time and memory in proportion to its length: a document of nothing but brackets would
 * take fifty times as much memory, one of nothing but names a hundred times as long. Reads each byte once; says nothing
 * about whether it is JSON at all.
 */
function isModestJson(bytes: Buffer): boolean {
  if (bytes.length <= smallBytes) return true;
  const names = new Set<string>();
  let marks = 0;
  let depth = 0;
  let stringStart = 0;
  let stringEnd = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte === quote) {
      stringStart = i + 1;
      i = endOfString(bytes, stringStart);
      stringEnd = i;
    } else if (byte === colon) {
      names.add(bytes.toString('latin1', stringStart, stringEnd));
    } else if (byte === comma) {
      marks += 1;
    } else if ((byte & 0xdf) === 0x5b) {
      // [ and {
      marks += 1;
      depth += 1;
    } else if ((byte & 0xdf) === 0x5d) {
      depth -= 1;
    }
    if (marks > maxMarks || depth > maxDepth || names.size > maxNames) return false;
  }
  return true;
}

function endOfString(bytes: Buffer, start: number): number {
  let i = start;
  while (i < bytes.length && bytes[i] !== quote) i += bytes[i] === backslash ? 2 : 1;
  return i;
}
