import { z } from 'zod';

// Each kind turns the text of one environment variable into a value. A refusal says what is expected and never
// repeats the text itself: the reader of the message may not be the one who may see the value.

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration in milliseconds, written `500ms`, `3s`, `15m`, `1h`, `30d` or as plain milliseconds; both bounds are
 * inclusive.
 */
export function duration({ minMs = 0, maxMs = Number.MAX_SAFE_INTEGER } = {}) {
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
    const valueMs = match ? Number(match[1]) * (unitMs[match[2] ?? 'ms'] ?? 1) : Number.NaN;
    if (!Number.isInteger(valueMs)) {
      return refuse(
        context,
        'not a duration (expected such as 500ms, 3s, 15m, 1h, 30d or plain milliseconds)',
      );
    }
    if (valueMs < minMs) return refuse(context, `too short (expected at least ${writeDuration(minMs)})`);
    if (valueMs > maxMs) return refuse(context, `too long (expected at most ${writeDuration(maxMs)})`);
    return valueMs;
  });
}

/** A TCP port; 0 lets the system choose a free one. */
export function port() {
  return wholeNumber({ min: 0, max: 65_535 });
}

/** A whole number of at least 1. */
export function positiveInt({ max = Number.MAX_SAFE_INTEGER } = {}) {
  return wholeNumber({ min: 1, max });
}

/** A whole number within `min` (default 0) and `max`, both inclusive. */
export function wholeNumber({ min = 0, max = Number.MAX_SAFE_INTEGER } = {}) {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return z.string().transform((text, context) => {
    const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) {
      return refuse(context, `not such a number (expected a whole number ${range})`);
    }
    return value;
  });
}

/** A part of something: above 0, and 1 at most. */
export function share() {
  return z.string().transform((text, context) => {
    const value = /^\d{1,3}(\.\d{1,9})?$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (!(value > 0 && value <= 1)) {
      return refuse(context, 'not a share (expected a number above 0, and 1 at most, such as 0.5)');
    }
    return value;
  });
}

/** A switch: `on`, `true`, `yes`, `1` or `off`, `false`, `no`, `0`. */
export function flag() {
  return z.string().transform((text, context) => {
    const word = text.trim().toLowerCase();
    if (['on', 'true', 'yes', '1'].includes(word)) return true;
    if (['off', 'false', 'no', '0'].includes(word)) return false;
    return refuse(context, 'neither on nor off (expected on, off, true or false)');
  });
}

/**
 * The base address of a service, returned without trailing slashes. Plain `http` passes for a loopback host only,
 * since everything sent there carries a credential.
 */
export function httpsUrl() {
  return z.string().transform((text, context) => {
    const url = parseUrl(text.trim());
    if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      return refuse(context, 'not a web address (expected an https:// URL)');
    }
    if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
      return refuse(context, 'not encrypted (expected https; plain http is for loopback hosts only)');
    }
    if (url.username || url.password) return refuse(context, 'holds a user name or password (expected none)');
    if (url.search || url.hash)
      return refuse(context, 'holds a query or fragment (expected host and path only)');
    return `${url.origin}${url.pathname.replace(/(?<!\/)\/+$/, '')}`;
  });
}

/** A level of detail for the log, as pino names them. */
export function logLevel() {
  return z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']);
}

/** True for the names and addresses by which a machine reaches only itself. IPv6 with or without brackets. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function refuse(context: z.core.$RefinementCtx<string>, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

function writeDuration(valueMs: number): string {
  const unit =
    ['d', 'h', 'm', 's'].find((unit) => valueMs > 0 && valueMs % (unitMs[unit] ?? 1) === 0) ?? 'ms';
  return `${valueMs / (unitMs[unit] ?? 1)}${unit}`;
}

/** The entries of a list that is separated by commas, without blanks around them; empty ones are left out. */
export function listEntries(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** The URL that `text` is, or undefined when it is none. (`URL.parse` is missing in some versions we run on.) */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
