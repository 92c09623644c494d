import { Transform } from 'node:stream';

const key = '"@odata.nextLink"';
/** The longest link that is looked for; Defender's have a few hundred characters. */
const maxLinkLength = 8_192;
const member = new RegExp(
  String.raw`"@odata\.nextLink"[ \t\r\n]{0,16}:[ \t\r\n]{0,16}"((?:[^"\\]|\\.){0,${maxLinkLength}})"`,
  'y',
);
/** From the key to the end of its value. */
const mostOfMember = key.length + 40 + 2 * maxLinkLength;

/**
 * Leads the links to further pages, which Defender writes as addresses of its own, through the front door: a client that
 * followed one elsewhere would leave it. They are found in the bytes as they pass. A text that holds the same words is left
 * alone, since its quotation marks are escaped.
 *
 * @param rewrite the new address; `undefined` to leave one as it is
 */
export function createLinkRewriter(rewrite: (link: string) => string | undefined): Transform {
  let held = '';
  let more = '';
  let before = '';

  /** What can go out, and what has to wait for more. */
  function pass(text: string, isLast: boolean): string {
    let [out, from] = ['', 0];
    for (;;) {
      const at = text.indexOf(key, from);
      if (at < 0) {
        const end = isLast ? text.length : Math.max(from, text.length - key.length + 1);
        held = text.slice(end);
        return out + text.slice(from, end);
      }
      member.lastIndex = at;
      const [whole, link = ''] = member.exec(text) ?? [];
      if (whole === undefined && !isLast && text.length - at < mostOfMember) {
        held = text.slice(at);
        return out + text.slice(from, at);
      }
      const isInText = (at === 0 ? before : text[at - 1]) === '\\';
      const taken = whole === undefined || isInText ? key : whole;
      out += text.slice(from, at) + (taken === key ? key : `${key}:${rewritten(link, rewrite)}`);
      from = at + taken.length;
    }
  }

  /** What was held back, and all that came since. */
  const waiting = (): string => {
    const text = held + more;
    more = '';
    return text;
  };
  const send = (text: string): Buffer => {
    before = text.at(-1) ?? before;
    // One character for each byte: what is not looked for goes out as it came.
    return Buffer.from(text, 'latin1');
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      more += chunk.toString('latin1');
      // What is held back is read again when there is as much more: bytes that come one by one cost no more than a page does.
      if (more.length < held.length) done();
      else done(null, send(pass(waiting(), false)));
    },
    flush(done) {
      done(null, send(pass(waiting(), true)));
    },
  });
}

/** A JSON text again. */
function rewritten(literal: string, rewrite: (link: string) => string | undefined): string {
  try {
    const link: unknown = JSON.parse(`"${literal}"`);
    const changed = typeof link === 'string' ? rewrite(link) : undefined;
    if (changed !== undefined) return JSON.stringify(changed);
  } catch {
    // No text of JSON: it is none of ours to repair.
  }
  return `"${literal}"`;
}
