import type { ReadBudget } from '@diq/quota/reads/read-budget.ts';

/** For tests in which no read is refused. */
export const unlimitedReads: ReadBudget = {
  take: async () => ({ granted: true, answered: async () => undefined }),
};
