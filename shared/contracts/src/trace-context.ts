import { randomBytes } from 'node:crypto';
import { z } from 'zod';

/** Which trace something belongs to, and which step of it came before: W3C Trace Context, version 00. */
export const traceContext = z.object({
  traceparent: z.string().regex(/^00-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/),
  tracestate: z.string().optional(),
});

export type TraceContext = z.output<typeof traceContext>;

/** What the standard asks everybody to pass on at least, and all that is passed on here. */
const maxTracestateLength = 512;
const maxTracestateMembers = 32;

const parentForm =
  /^(?<version>[\da-f]{2})-(?<trace>[\da-f]{32})-(?<parent>[\da-f]{16})-(?<flags>[\da-f]{2})(?<more>-.*)?$/;
const simpleKey = '[a-z][a-z\\d_\\-*/]{0,255}';
const tenantKey = '[a-z\\d][a-z\\d_\\-*/]{0,240}@[a-z][a-z\\d_\\-*/]{0,13}';
const stateMember = new RegExp(`^(?:${simpleKey}|${tenantKey})=[ -+\\--<>-~]{0,255}[!-+\\--<>-~]$`);

/**
 * The trace context that a caller sent. As the standard has it, a malformed `traceparent` counts as none, a later version
 * is read as version 00, and a malformed or overlong `tracestate` is left out without harm to `traceparent`.
 */
export function parseTraceContext(
  traceparent: string | undefined,
  tracestate?: string,
): TraceContext | undefined {
  const { version, trace, parent, flags, more } = parentForm.exec(traceparent?.trim() ?? '')?.groups ?? {};
  if (trace === undefined || parent === undefined || flags === undefined) return undefined;
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(trace) || /^0+$/.test(parent)) return undefined;
  const state = parseTracestate(tracestate);
  return {
    traceparent: `00-${trace}-${parent}-${flags}`,
    ...(state === undefined ? {} : { tracestate: state }),
  };
}

/** The 32 hexadecimal digits that everything of one trace has in common. */
export function traceIdOf({ traceparent }: TraceContext): string {
  return traceparent.slice(3, 35);
}

/** A further step of the same trace, for one call that goes out. */
export function nextStepOf(context: TraceContext): TraceContext {
  const { traceparent } = context;
  return { ...context, traceparent: `${traceparent.slice(0, 36)}${newSpanId()}${traceparent.slice(52)}` };
}

function newSpanId(): string {
  for (;;) {
    const id = randomBytes(8).toString('hex');
    if (!/^0+$/.test(id)) return id;
  }
}

function parseTracestate(text: string | undefined): string | undefined {
  if (text === undefined || text.length > maxTracestateLength) return undefined;
  const members = text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const isValid =
    members.length > 0 &&
    members.length <= maxTracestateMembers &&
    members.every((member) => stateMember.test(member)) &&
    new Set(members.map((member) => member.split('=')[0])).size === members.length;
  return isValid ? members.join(',') : undefined;
}
