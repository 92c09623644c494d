import type { StatedQuota } from '@diq/quota/ledger/answer.ts';

/** "API calls quota exceeded! maximum allowed 5 per 01:00:00": a .NET time span, of days too ("1.00:00:00"). */
const statement = /\bmaximum\D{1,40}?(\d{1,9}) per (?:(\d{1,4})\.)?(\d{1,2}):(\d{2}):(\d{2})(?!\.?\d)/i;

/** The quota that the text of a 429 states. The text is not stable, so it may state none. */
export function statedQuotaIn(message: string | undefined): StatedQuota | undefined {
  const found = statement.exec(message ?? '');
  if (!found) return undefined;
  const [calls = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found
    .slice(1)
    .map((text) => Number(text ?? 0));
  const windowMs = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000;
  return calls > 0 && windowMs > 0 ? { calls, windowMs } : undefined;
}
