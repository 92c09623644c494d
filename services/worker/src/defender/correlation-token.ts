import { maxCommentLength } from '@diq/contracts/comment.ts';
import { clip, countCharacters } from '@diq/contracts/text.ts';

/**
 * What a comment ends with so that a machine action is known again as made for this task, whichever of its calls made it.
 * Task ids are not shown to callers, so none of their comments can hold another's token.
 */
export function correlationTokenOf(taskId: string): string {
  return `[diq:${taskId}]`;
}

/** A comment with its token at the end, and no longer than a comment may be: what is in the way is cut. */
export function commentWithToken(comment: string, token: string): string {
  const end = ` ${token}`;
  return clip(comment, maxCommentLength - countCharacters(end), '… (cut)') + end;
}
