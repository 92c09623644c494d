import type { Records } from '@diq/contracts/operations/profile.ts';
import type { DefenderReader } from '../defender/defender-reader.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import { NotReadable, readOrThrow, type Ask, type LookFailure } from './ask.ts';
import { findAction } from './find-action.ts';
import { findInvestigation } from './find-investigation.ts';
import type { Finding, UnresolvedCall } from './finding.ts';

/** What a look gave, or why it was none. */
export type LookedUp = { readonly kind: 'looked'; readonly finding: Finding } | LookFailure;

/** One look in Defender for what became of a call, in the list that the operation's profile names. */
export async function lookUp(
  call: UnresolvedCall,
  deps: { reader: DefenderReader; tokens: TokenProvider; records: Records },
): Promise<LookedUp> {
  const token = await deps.tokens.get();
  if (token.kind === 'unavailable') {
    const later = token.retryAfterMs === undefined ? {} : { retryAfterMs: token.retryAfterMs };
    return { kind: 'unreadable', reason: 'no_token', ...later };
  }
  try {
    return { kind: 'looked', finding: await find(call, token.token, deps) };
  } catch (error) {
    if (!(error instanceof NotReadable)) throw error;
    if (error.why.reason === 'token_rejected') await deps.tokens.renewAfterRejection(token.token);
    return error.why;
  }
}

async function find(
  call: UnresolvedCall,
  token: string,
  { reader, records }: { reader: DefenderReader; records: Records },
): Promise<Finding> {
  const ask: Ask = async (read) => readOrThrow(await read(reader, token));
  return records.list === 'investigations' ? findInvestigation(call, ask) : findAction(call, records, ask);
}
