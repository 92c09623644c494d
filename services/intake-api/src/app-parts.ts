import type { RequestIntake } from '@diq/queue/accept-requests.ts';
import type { RequestReader } from '@diq/queue/read-requests.ts';
import type { Logger } from '@diq/runtime/logger.ts';
import type { IdentifyCaller } from './api-keys.ts';
import type { DescribeRequest } from './describe-request.ts';
import type { IntakeMetrics } from './metrics.ts';
import type { QueueState } from './queue-state.ts';

/** What the routes are made of. */
export interface AppParts {
  logger: Logger;
  metrics: IntakeMetrics;
  /** `undefined`: everybody is let in. */
  identify: IdentifyCaller | undefined;
  intake: RequestIntake;
  reader: RequestReader;
  /** Quota and backlog as they are. */
  readState: () => Promise<QueueState>;
  describeRequest: DescribeRequest;
  operation: string;
  ping: () => Promise<unknown>;
  /** Aborted once the service is being stopped. */
  closing: AbortSignal;
}
