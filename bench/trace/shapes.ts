import type { Priority } from '@diq/contracts/priority.ts';
import type { Truth } from './trace-request.ts';

/**
 * Evidence by hour of the day, 0 to 23, in thousands: GUIDE's train file (13 million pieces of evidence of June 2024, all tenants
 * mixed, arXiv 2407.09017). One SOC alone has a deeper night.
 */
export const byHour = [
  355, 378, 344, 336, 325, 327, 322, 326, 348, 372, 378, 398, 421, 451, 451, 482, 479, 480, 471, 448, 435,
  417, 398, 378,
] as const;

/** The same by day, Monday to Sunday, in millions. */
export const byWeekday = [1.66, 1.749, 1.68, 1.53, 1.28, 0.783, 0.833] as const;

/** Incidents by grade (GUIDE, 448,901 incidents). */
export const truthShares: Readonly<Record<Truth, number>> = {
  true_positive: 0.213,
  benign: 0.486,
  false_positive: 0.301,
};

/**
 * Alerts come in bursts: two states between which a SOC moves (Harang and Kott, arXiv 1707.03927). How much more comes in a burst,
 * and the mean stay in each, are assumed here.
 */
export const bursts = { factor: 10, quietHours: 6, burstHours: 1 / 3 } as const;

/** Sources and their shares: assumed. */
export const sourceShares: Readonly<Record<string, number>> = {
  edr: 0.6,
  siem: 0.25,
  mail: 0.1,
  hunting: 0.05,
};

/**
 * A source's score of an incident: normal around the mean of its truth. GUIDE has no severity; means and deviation are assumed so that
 * six in a hundred requests are critical and a third is low, and that the score is right more often than not.
 */
export const scores: Readonly<Record<Truth, number>> & { deviation: number; perRequest: number } = {
  true_positive: 72,
  benign: 48,
  false_positive: 38,
  deviation: 18,
  /** What one more alert of the same incident may move it by. */
  perRequest: 5,
};

/** From which score on. */
export const thresholds: readonly (readonly [Priority, number])[] = [
  ['critical', 85],
  ['high', 65],
  ['medium', 40],
  ['low', Number.NEGATIVE_INFINITY],
];

/** Assumed, all of them. */
export const mix = {
  /** Part of all requests that campaigns bring, each one batch of one source. */
  campaignShare: 0.2,
  /** Machines of a campaign: Pareto with this exponent, so few to so many. */
  campaign: { alpha: 1.2, least: 10, most: 200 },
  /** Chance of one further machine, again and again, in an incident that is no campaign. */
  furtherMachine: 0.2,
  /** Chance of one further request for the same machine, again and again (GUIDE: 1.6 to 2.3 alerts an incident). */
  repeat: 0.2,
  repeatAfterMinutes: 20,
  furtherAfterMinutes: 10,
  /** Part of the requests whose machine Defender does not know. */
  unknown: 0.05,
  /** Part of the machines that are offline. */
  offline: 0.08,
  /** Part of the requests whose machine another program has just begun to investigate. */
  underInvestigation: 0.04,
  machines: 5_000,
  /** Which machines are asked for: Zipf with this exponent. */
  zipf: 0.8,
} as const;
