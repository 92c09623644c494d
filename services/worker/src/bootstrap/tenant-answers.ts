import { profileOf } from '@diq/contracts/operations/index.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';
import { createLinkExchange } from '@diq/queue/questions/link-exchange.ts';
import { createReadExchange } from '@diq/queue/questions/read-exchange.ts';
import type { RedisConnection } from '@diq/redis/connection.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { Queue } from '@diq/tenants/tenant.ts';
import type { OpenTenant } from './open-tenant.ts';

export type TenantAnswers = ReturnType<typeof createTenantAnswers>;

interface TenantAnswersOptions {
  redis: RedisConnection;
  tenantId: string;
  /** Opens the tenant: only with the first question. */
  open: () => Pick<OpenTenant, 'createLinkAnswers' | 'createReadAnswers'>;
  logger: Logger;
}

/** Answers what intakes ask about one tenant's Defender. Nothing is opened before the first question. */
export function createTenantAnswers({ redis, tenantId, open, logger }: TenantAnswersOptions) {
  const links = new Map<string, ReturnType<OpenTenant['createLinkAnswers']>>();
  let reads: ReturnType<OpenTenant['createReadAnswers']> | undefined;
  let isClosing = false;

  return {
    /** A link to a result of this queue is asked for. */
    answerLinks({ keySpace, operation }: Pick<Queue, 'keySpace' | 'operation'>): void {
      const { download }: OperationProfile = profileOf(operation);
      if (download === undefined || isClosing) return;
      const exchange = createLinkExchange(redis, keySpace);
      const answers = links.get(keySpace) ?? open().createLinkAnswers(exchange, download, logger);
      links.set(keySpace, answers);
      answers.wake();
    },
    /** A read is asked for. */
    answerReads(): void {
      if (isClosing) return;
      reads ??= open().createReadAnswers(createReadExchange(redis, tenantId), logger);
      reads.wake();
    },
    /** Takes no question any more; resolves when those under way are answered. */
    async close(): Promise<void> {
      isClosing = true;
      await Promise.all([...links.values(), ...(reads ? [reads] : [])].map((answers) => answers.idle()));
    },
  };
}
