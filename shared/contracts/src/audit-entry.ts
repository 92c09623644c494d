import { z } from 'zod';

/** What leaves an entry. A closed list, so that it can be searched for. */
const auditActions = [
  'cancel',
  'change',
  'cancel_many',
  'cancel_many_done',
  'move_to_head',
  'retry',
  'retry_many',
  'retry_many_done',
  'pause',
  'resume',
  'purge',
  'purge_done',
] as const;

/** As it is recorded. */
export const auditEntry = z.looseObject({
  action: z.enum(auditActions),
  by: z.string().describe('The caller: the name of a key, or `entra:` and ids of Entra ID.'),
  displayName: z.string().optional().describe('Of a person who signed in with Entra ID to the status page.'),
  reason: z.string().optional(),
});

/** As it is read. */
export const recordedEntry = auditEntry.extend({ id: z.string(), at: z.iso.datetime() }).meta({
  id: 'AuditEntry',
  description: 'Who did what, when and why; what it was done to stands in further fields.',
});
