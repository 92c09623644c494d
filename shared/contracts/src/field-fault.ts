import type { z } from 'zod';

/** One thing wrong with an input: which field, and why. `path` is `''` for the input as a whole. */
export interface FieldFault {
  path: string;
  message: string;
}

const maxFaults = 20;

/** Names every fault of a refused input by the path a caller would write (`requests[3].comment`). At most 20. */
export function fieldFaults(error: z.ZodError): FieldFault[] {
  return error.issues.flatMap(faultsOfIssue).slice(0, maxFaults);
}

function faultsOfIssue(issue: z.core.$ZodIssue): FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: writePath([...issue.path, clip(key)]),
      message: 'is not a known field',
    }));
  }
  const isMissing = issue.code === 'invalid_type' && issue.input === undefined;
  return [{ path: writePath(issue.path), message: isMissing ? 'is required' : issue.message }];
}

function writePath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((written, step) => {
    if (typeof step === 'number') return `${written}[${step}]`;
    return written === '' ? String(step) : `${written}.${String(step)}`;
  }, '');
}

/** A caller's own key can be of any length; an error message cannot. */
function clip(key: string): string {
  return key.length > 64 ? `${key.slice(0, 64)}…` : key;
}
