import {
  maxReadBytes,
  type ReadAnswer,
  type ReadExchange,
  type ReadQuestion,
} from '@diq/queue/questions/read-exchange.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader } from '../defender/defender-reader.ts';
import { createAnswers } from './answer-questions.ts';

export interface ReadAnswersOptions {
  exchange: Pick<ReadExchange, 'take' | 'answer'>;
  reader: Pick<DefenderReader, 'readPath'>;
  tokens: Pick<TokenProvider, 'get' | 'renewAfterRejection'>;
  logger: Pick<Logger, 'error'>;
}

/** How long an answer serves everybody who asks the same: a client that polls costs Defender little. */
const goodForMs = 3_000;
/** So long at the most an answer says that Defender is not asked. */
const longestRefusalMs = 60_000;

/** Reads of Defender what callers of the front door ask for, out of the tenant's budget of reads. */
export function createReadAnswers(options: ReadAnswersOptions) {
  const { exchange, logger } = options;
  return createAnswers<ReadQuestion, ReadAnswer>({
    exchange,
    answerTo: (question) => answerTo(question, options),
    logger,
  });
}

async function answerTo(
  { path }: ReadQuestion,
  { reader, tokens }: ReadAnswersOptions,
): Promise<{ answer: ReadAnswer; forMs: number }> {
  const token = await tokens.get();
  if (token.kind === 'unavailable') return unavailable(token.retryAfterMs);
  const reading = await reader.readPath(token.token, path);
  if (reading.kind === 'not_found') return { answer: { kind: 'not_found' }, forMs: goodForMs };
  if (reading.kind === 'read') {
    const { body, bytes } = reading.value;
    const isShort = bytes <= maxReadBytes;
    return { answer: isShort ? { kind: 'read', body } : { kind: 'too_long' }, forMs: goodForMs };
  }
  const { reason, httpStatus, retryAfterMs } = reading;
  if (reason === 'token_rejected') await tokens.renewAfterRejection(token.token);
  if (reason === 'too_long') return { answer: { kind: 'too_long' }, forMs: goodForMs };
  const isRefused = reason === 'not_allowed' || reason === 'unexpected_answer';
  if (isRefused && httpStatus !== undefined)
    return { answer: { kind: 'refused', httpStatus }, forMs: goodForMs };
  return unavailable(retryAfterMs);
}

function unavailable(retryAfterMs = goodForMs): { answer: ReadAnswer; forMs: number } {
  const waitMs = Math.min(retryAfterMs, longestRefusalMs);
  return { answer: { kind: 'unavailable', retryAfterMs: waitMs }, forMs: Math.min(waitMs, goodForMs) };
}
