import { z } from 'zod';
import type { OperationProfile } from './profile.ts';

/** What the operations that start an investigation have in common. Neither gives anything back by which a lost call is known. */
export const investigationProfile = {
  wording: { noun: 'investigation', one: 'an investigation' },
  parameters: z.strictObject({}),
  coalescingKey: () => '',
  isReusable: true,
  body: ({ comment }) => ({ Comment: comment }),
  accepted: [200, 201],
  // Undocumented for these calls, recorded for machine actions; both statuses are conceivable.
  alreadyRunning: { statuses: [400, 409], code: 'ActiveRequestAlreadyExists' },
  resultKind: 'investigation',
  // What waits for an approval is closed by Defender after 7 days.
  followForMs: 8 * 24 * 3_600_000,
  correlation: 'none',
  records: { list: 'investigations' },
  requiredRole: 'Alert.ReadWrite.All',
  risk: 'investigate',
  advice: {
    retired:
      'Defender no longer offers this call, as Microsoft announced for 2026-09-01 (MC1411577). Use the operation runAntiVirusScan, which the notice names instead, and cancel what need not wait.',
    disabled:
      'Automated investigation is switched off for this tenant. Switch it on in the settings of Microsoft Defender XDR, or use the operation runAntiVirusScan.',
    forbidden:
      'Defender or a gateway in front of it refuses the application. Check its role Alert.ReadWrite.All, its consent, and proxies in between.',
  },
} as const satisfies Partial<OperationProfile>;
