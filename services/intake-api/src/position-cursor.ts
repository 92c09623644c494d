import { z } from 'zod';

/** Forms of positions: of a request or an entry of the record, and of a place in a batch, -1 before its first. */
const positionPattern = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{1,16}-\d{1,20}|-1|\d{1,5})$/;

/** A position in a form that callers hand back and do not reckon with. */
export function writePosition(position: string): string {
  return Buffer.from(`behind ${position}`).toString('base64url');
}

/** The position in a cursor of this form; anything that `writePosition` did not write is a fault. */
export function positionCursor(form: RegExp = positionPattern) {
  return z.string({ error: 'must be given once' }).transform((text, context) => {
    const position = /^behind (.+)$/.exec(Buffer.from(text, 'base64url').toString())?.[1] ?? '';
    if (positionPattern.test(position) && form.test(position) && writePosition(position) === text)
      return position;
    context.addIssue({ code: 'custom', message: 'must be taken from a nextLink' });
    return z.NEVER;
  });
}
