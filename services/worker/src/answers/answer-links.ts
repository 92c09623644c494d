import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import type { LinkAnswer, LinkExchange, LinkQuestion } from '@diq/queue/questions/link-exchange.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader } from '../defender/defender-reader.ts';
import { createAnswers } from './answer-questions.ts';
import { isLinkHost } from './link-hosts.ts';

type Download = NonNullable<OperationProfile['download']>;

export interface LinkAnswersOptions {
  exchange: Pick<LinkExchange, 'take' | 'answer'>;
  download: Download;
  reader: Pick<DefenderReader, 'findLink'>;
  tokens: Pick<TokenProvider, 'get' | 'renewAfterRejection'>;
  /** Where Defender is called: links may lead there too. */
  baseUrl: string;
  logger: Pick<Logger, 'warn' | 'error'>;
}

/** How long an answer without a link serves everybody who asks: what is not there yet may soon be. */
const notThereMs = 5_000;
const failedMs = 5_000;
/** So long at the most an answer says that Defender is not asked: its limit may have been another program's. */
const longestRefusalMs = 60_000;

/** Asks Defender for the links that are asked for. */
export function createLinkAnswers(options: LinkAnswersOptions) {
  const { exchange, logger } = options;
  return createAnswers<LinkQuestion, LinkAnswer>({
    exchange,
    answerTo: (question) => answerTo(question, options),
    logger,
  });
}

async function answerTo(
  { actionId, index }: LinkQuestion,
  { download, reader, tokens, baseUrl, logger }: LinkAnswersOptions,
): Promise<{ answer: LinkAnswer; forMs: number }> {
  const token = await tokens.get();
  if (token.kind === 'unavailable') return unavailable(token.retryAfterMs);
  const reading = await reader.findLink(token.token, download.path(actionId, index ?? 0));
  if (reading.kind === 'not_found') return { answer: { kind: 'not_there' }, forMs: notThereMs };
  if (reading.kind === 'unreadable') {
    if (reading.reason === 'token_rejected') await tokens.renewAfterRejection(token.token);
    return unavailable(reading.retryAfterMs);
  }
  const url = URL.canParse(reading.value) ? new URL(reading.value) : undefined;
  if (url && isLinkHost(url, baseUrl))
    return { answer: { kind: 'link', url: url.href }, forMs: download.goodForMs };
  // The link itself is a secret.
  logger.warn(
    { host: url?.hostname },
    'Defender gives a link to a host that is not known, and no caller is sent there',
  );
  return unavailable(longestRefusalMs);
}

function unavailable(retryAfterMs = failedMs): { answer: LinkAnswer; forMs: number } {
  const forMs = Math.min(retryAfterMs, longestRefusalMs);
  return { answer: { kind: 'unavailable', retryAfterMs: forMs }, forMs };
}
