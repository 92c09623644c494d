import type { Response } from 'express';
import type { Actor } from '@diq/queue/operations/audit-log.ts';
import { identifiedCaller } from './ownership.ts';

/** Who acts, by the name of the credential, and why. */
export function actingCaller(response: Response, reason?: string): Actor {
  return { name: identifiedCaller(response).name, reason };
}
