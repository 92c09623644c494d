import { inOneDirection, maxCommentLength, sentComment } from '@diq/contracts/comment.ts';
import { clip, countCharacters } from '@diq/contracts/text.ts';

/** What one of a task's requesters wrote. */
export interface Remark {
  comment: string;
  /** Who wrote it, by the name of the credential; `undefined` for a request that was recorded before callers were. */
  caller?: string | undefined;
  /** For whom, in the caller's own words. */
  source?: string | undefined;
}

/** Requests whose comments are read for one call; of the others only the number is given. */
export const maxRemarks = 10;

/** Defender publishes no bound for a comment. What one request may have passes, so the joined ones have as much. */
const longest = maxCommentLength;
/** Less of a comment than this has no use. */
const shortestPart = 20;
const cut = '… (cut)';

/**
 * The comment of a call. Of one request it is the request's own, whole. Of several it is the first requester's, then the
 * others' behind a line that names the caller, by the credential, and the source, in quotes because callers name it
 * themselves; then how many more there are. What was said already is not said again. Joined ones have at most 4,000
 * characters: what does not fit is cut, from the last, and that is said.
 *
 * @param uncounted requests of the task beyond those given
 */
export function joinComments([first, ...others]: readonly [Remark, ...Remark[]], uncounted: number): string {
  const said = new Set([first.comment]);
  const different = others.filter(({ comment }) => !said.has(comment) && said.add(comment));
  let text = sentComment(first.comment);
  if (different.length === 0 && uncounted === 0) return text;
  let omitted = uncounted;
  for (const [i, remark] of different.entries()) {
    // What stands at the end, should this be the last that fits.
    const closing = closingFor(uncounted + different.length - i - 1);
    const part = headed(remark);
    const room = longest - countCharacters(text) - closing.length;
    if (room < Math.min(shortestPart, countCharacters(part))) {
      omitted += different.length - i;
      break;
    }
    text += clip(part, room, cut);
  }
  const closing = closingFor(omitted);
  return `${clip(text, longest - closing.length, cut)}${closing}`;
}

function headed({ comment, caller, source }: Remark): string {
  const by = caller === undefined ? '' : ` by ${caller}`;
  const as = source === undefined ? '' : `, source ${quoted(source)}`;
  return `\n--- also asked${by}${as}: ${sentComment(comment)}`;
}

/** In one line, also what was stored when sources could have several. */
function quoted(source: string): string {
  return JSON.stringify(inOneDirection(source).replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, '\uFFFD'));
}

function closingFor(omitted: number): string {
  return omitted === 0 ? '' : `\n--- and ${omitted} more`;
}
