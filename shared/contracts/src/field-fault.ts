import { z } from 'zod';
import { clip } from './text.ts';

/** One thing wrong with an input. */
export const fieldFault = z.strictObject({
  path: z
    .string()
    .describe('The field as a caller writes it, such as `requests[3].comment`; empty for the whole.'),
  message: z.string(),
});

export type FieldFault = z.output<typeof fieldFault>;

const maxFaults = 20;
const maxNameLength = 65;

/** Names every fault of a refused input by the path a caller would write (`requests[3].comment`). At most 20. */
export function fieldFaults(error: z.ZodError): FieldFault[] {
  return error.issues.flatMap(faultsOfIssue).slice(0, maxFaults);
}

/** How many faults there are, named or not. */
export function countFaults(error: z.ZodError): number {
  return error.issues.reduce(
    (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1),
    0,
  );
}

function faultsOfIssue(issue: z.core.$ZodIssue): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, maxFaults).map((key) => ({
      path: writePath([...issue.path, key]),
      message: 'is not a known field',
    }));
  }
  return [{ path: writePath(issue.path), message: reasonOf(issue) }];
}

function reasonOf(issue: z.core.$ZodIssue): string {
  // The issue says only that the key is invalid; why stands inside.
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  // Parsed without `reportInput` an issue has no input at all: then a missing field looks like a wrong one.
  const isMissing = issue.code === 'invalid_type' && 'input' in issue && issue.input === undefined;
  return isMissing ? 'is required' : issue.message;
}

/** A path as a caller would write it. */
export function writePath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((written, step) => {
    if (typeof step === 'number') return `${written}[${step}]`;
    // A caller's own key can be of any length; an error message cannot.
    const name = clip(String(step), maxNameLength);
    return written === '' ? name : `${written}.${name}`;
  }, '');
}
