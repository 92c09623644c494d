import { maxCommentLength } from '@diq/contracts/investigation-item.ts';

/** What one of a dispatch's requesters wrote. */
export interface Remark {
  comment: string;
  source?: string | undefined;
}

/** Requests whose comments are read for one call; of the others only the number is told. */
export const maxRemarks = 10;

/** Defender publishes no bound for a comment. What one request may have passes, so the joined ones have as much. */
const longest = maxCommentLength;
/** Less of a comment than this tells nobody anything. */
const shortestPart = 20;

/**
 * The comment of a call that serves several requests: the first requester's, then the others' with their sources, each
 * behind a line of its own, and how many more there are. What was said already is not said again. At most 4,000
 * characters: what does not fit is cut, from the last.
 *
 * @param uncounted requests of the dispatch beyond those given
 */
export function joinComments([first, ...others]: readonly [Remark, ...Remark[]], uncounted: number): string {
  const said = new Set([first.comment]);
  const different = others.filter(({ comment }) => !said.has(comment) && said.add(comment));
  let text = first.comment;
  let untold = uncounted;
  for (const [i, remark] of different.entries()) {
    // What stands at the end, should this be the last that fits.
    const closing = closingFor(uncounted + different.length - i - 1);
    const part = clip(headed(remark), longest - text.length - closing.length);
    if (part === undefined) {
      untold += different.length - i;
      break;
    }
    text += part;
  }
  const closing = closingFor(untold);
  return `${text.slice(0, longest - closing.length)}${closing}`;
}

function headed({ comment, source }: Remark): string {
  return `\n--- also asked${source === undefined ? '' : ` by ${source}`}: ${comment}`;
}

function closingFor(untold: number): string {
  return untold === 0 ? '' : `\n--- and ${untold} more`;
}

/** `undefined` where too little of it would be left. */
function clip(part: string, room: number): string | undefined {
  if (part.length <= room) return part;
  return room < shortestPart ? undefined : `${part.slice(0, room - 1)}…`;
}
