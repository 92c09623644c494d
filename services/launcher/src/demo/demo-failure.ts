import type { ServiceName } from '../start-service.ts';

/** The demo did not end as it must. The message is the reason, in one line. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
  /** Whose last log lines may say more. */
  readonly service: ServiceName | undefined;

  constructor(reason: string, service?: ServiceName) {
    super(reason);
    this.service = service;
  }
}
