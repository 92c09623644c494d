import { createHash } from 'node:crypto';

/** Keys that the intake under test knows, one per set of scopes. */
export const keys = {
  submitter: 'key-of-the-submitter-1f0c',
  reader: 'key-of-the-reader-77ab',
  playbook: 'key-of-the-playbook-e2d9',
  operator: 'key-of-the-operator-90c4',
  /** Of a tenant that is not there. */
  elsewhere: 'key-of-elsewhere-31fe',
} as const;

/** The same as the setting INTAKE_API_KEYS. */
export const keySetting = [
  `submitter:submit:${sha256(keys.submitter)}`,
  `reader:read:${sha256(keys.reader)}`,
  `playbook:submit+read:${sha256(keys.playbook)}`,
  `operator:admin:${sha256(keys.operator)}`,
  `elsewhere:admin:${sha256(keys.elsewhere)}:elsewhere`,
].join(',');

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
