import type { Logger } from '@diq/runtime/logging/logger.ts';

interface Questions<Question, Answer> {
  exchange: {
    take(): Promise<Question | undefined>;
    answer(question: Question, answer: Answer, forMs: number): Promise<void>;
  };
  answerTo(question: Question): Promise<{ answer: Answer; forMs: number }>;
  logger: Pick<Logger, 'error'>;
}

/** Answers the questions of an exchange, one after the other. Never rejects. */
export function createAnswers<Question, Answer>({ exchange, answerTo, logger }: Questions<Question, Answer>) {
  let working: Promise<void> | undefined;
  let isAskedAgain = false;

  async function work(): Promise<void> {
    do {
      isAskedAgain = false;
      for (;;) {
        const question = await exchange.take();
        if (question === undefined) break;
        const { answer, forMs } = await answerTo(question);
        await exchange.answer(question, answer, forMs);
      }
    } while (isAskedAgain);
  }

  return {
    /** There may be questions. */
    wake(): void {
      isAskedAgain = true;
      working ??= work()
        .catch((error: unknown) => logger.error({ err: error }, 'questions of callers could not be asked'))
        .finally(() => (working = undefined));
    },
    /** Resolves when the questions that were taken are answered. */
    idle: async () => working,
  };
}
