import type { Ledger } from '@diq/quota/ledger/ledger.ts';
import type { CallOutcome } from '../defender/defender-client.ts';
import type { TokenProvider, TokenResult } from '../defender/auth/token-provider.ts';

/** With which token a call is made, and what its answer says of the token. */
export interface CallTokens {
  /** A new one for a task that was refused before: then the token is not at fault if it is refused again. */
  tokenFor(taskId: string): Promise<TokenResult>;
  /** A token that was obtained because of a refusal and that Defender has not accepted yet. */
  unproven(): string | undefined;
  /** A token that was rejected is renewed for the next call; so is one that may lack what was granted since. */
  after(outcome: CallOutcome, token: string): Promise<void>;
}

export function createCallTokens(tokens: TokenProvider, ledger: Pick<Ledger, 'wasRefused'>): CallTokens {
  let unproven: string | undefined;

  return {
    async tokenFor(taskId) {
      const [atHand, wasRefused] = await Promise.all([tokens.get(), ledger.wasRefused(taskId)]);
      if (atHand.kind === 'unavailable' || !wasRefused || atHand.token === unproven) return atHand;
      const renewed = await tokens.renew();
      if (renewed.kind === 'token' && renewed.token !== atHand.token) unproven = renewed.token;
      return renewed;
    },
    unproven: () => unproven,
    async after(outcome, token) {
      const { kind } = outcome;
      if (kind === 'token_rejected' || (kind === 'not_allowed' && outcome.reason === 'token_rejected')) {
        const renewed = await tokens.renewAfterRejection(token);
        unproven = renewed.kind === 'token' ? renewed.token : undefined;
      } else if (kind === 'not_allowed') {
        await tokens.renew();
      } else if (kind !== 'not_sent' && token === unproven) {
        unproven = undefined;
      }
    },
  };
}
