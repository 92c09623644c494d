import type { Response } from 'express';
import type { Actor } from '@diq/queue/audit-log.ts';
import { callerOf } from './middleware/authenticate.ts';

/** Who acts, by the name of the credential, and why. */
export function actingCaller(response: Response, reason?: string): Actor {
  const caller = callerOf(response);
  if (!caller) throw new Error('nobody was identified in front of this route');
  return { name: caller.name, reason };
}
