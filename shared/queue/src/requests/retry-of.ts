import { investigationItem } from '@diq/contracts/investigation-item.ts';
import type { Retry } from '../admission/new-request.ts';
import type { StoredRequest } from './stored-request.ts';

export interface RetryRules {
  nowMs: number;
  /** Nothing that was started before will do. */
  force: boolean;
  /** In place of the request's own deadline; `null`: none. ISO 8601 in UTC, in the future. */
  notAfter?: string | null | undefined;
}

/** What was asked, to be asked again, whatever became of it; `undefined` where it is not to be started any more. */
export function retryOf({ document, callback }: StoredRequest, rules: RetryRules): Retry | undefined {
  const { id, machineId, machineName, aadDeviceId, parameters, comment, priority, source, correlation } =
    document;
  const deadline = rules.notAfter === undefined ? document.notAfter : (rules.notAfter ?? undefined);
  if (deadline !== undefined && Date.parse(deadline) <= rules.nowMs) return undefined;
  // One that is known is not looked up again.
  const named = machineId === undefined ? { machineName, aadDeviceId } : { machineId };
  const asked = { ...named, parameters, comment, priority, source, correlation, notAfter: deadline };
  const force = rules.force ? true : undefined;
  const item = investigationItem.parse(
    JSON.parse(JSON.stringify({ ...asked, callbackUrl: callback?.url, force })),
  );
  return Object.assign(item, { retryOf: id });
}
