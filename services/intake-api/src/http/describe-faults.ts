import type { FieldFault } from '@diq/contracts/field-fault.ts';

/** Faults told in a sentence; the complete list stands beside it. */
const maxTold = 3;

/**
 * One readable sentence that names the fields and what is wrong with them. `whole` stands for the input itself, `count`
 * is the number of all faults where these are only the first.
 */
export function describeFaults(
  faults: readonly FieldFault[],
  whole: string,
  count: number = faults.length,
): string {
  const told = faults.slice(0, maxTold).map(({ path, message }) => {
    const subject = path === '' ? whole : path;
    // Our own messages continue the sentence; those of the validator begin one.
    return /^[a-z]/.test(message) ? `${subject} ${message}` : `${subject}: ${message}`;
  });
  const left = count - told.length;
  return `${told.join('; ')}${left > 0 ? `; and ${left} more` : ''}.`;
}
