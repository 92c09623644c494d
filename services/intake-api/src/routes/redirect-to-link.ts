import type { Response } from 'express';
import { isTerminal } from '@diq/contracts/status.ts';
import { profileOf } from '@diq/contracts/operations/index.ts';
import type { Download, OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { Dependencies } from '../dependencies.ts';
import { findRequestOrRefuse } from '../http/find-or-404.ts';
import { ProblemError } from '../http/problem-error.ts';

/**
 * Sends a caller to what the machine action of a request brought.
 *
 * @throws ProblemError 404 where the operation brings nothing of the kind, or the action failed or never began, 409 while it is not there, 503 while Defender cannot be asked
 */
export async function redirectToLink(
  wanted: { id: unknown; kind: Download['kind']; index?: string },
  { reader, links, queue }: Pick<Dependencies, 'reader' | 'links' | 'queue'>,
  response: Response,
): Promise<void> {
  const { document } = await findRequestOrRefuse(reader, wanted.id);
  const { download }: OperationProfile = profileOf(queue.operation);
  if (download?.kind !== wanted.kind) {
    throw new ProblemError('result_not_found', {
      detail: `What the operation '${queue.operation}' brings cannot be fetched here.`,
    });
  }
  if (document.result === undefined) {
    // What has ended without a start is never started.
    throw new ProblemError(isTerminal(document.status) ? 'result_not_found' : 'result_not_ready', {
      detail: `The request is '${document.status}': nothing was started for it.`,
    });
  }
  const { outcome } = document.result;
  const hasEndedBadly = outcome === 'failed' || outcome === 'cancelled';
  const broughtNothing = () =>
    new ProblemError('result_not_found', {
      detail: `The machine action ended as '${outcome}' at Defender: there is nothing to fetch.`,
    });
  // Of a live response that failed, the commands before the one that failed have their output.
  if (hasEndedBadly && wanted.index === undefined) throw broughtNothing();
  const answer = await links.ask({ actionId: document.result.id, ...indexOf(wanted.index) });
  if (answer.kind === 'not_there') {
    if (hasEndedBadly) throw broughtNothing();
    throw new ProblemError('result_not_ready', {
      detail: 'Defender has no link yet. It has none either where the action failed.',
    });
  }
  if (answer.kind === 'unavailable') {
    const seconds = Math.max(1, Math.ceil(answer.retryAfterMs / 1_000));
    throw new ProblemError('link_unavailable', { headers: { 'Retry-After': String(seconds) } });
  }
  response.status(302).location(answer.url).end();
}

function indexOf(text: string | undefined): { index?: number } {
  if (text === undefined) return {};
  if (/^\d{1,3}$/.test(text)) return { index: Number(text) };
  throw new ProblemError('result_not_found', { detail: 'Commands are counted by whole numbers from 0.' });
}
