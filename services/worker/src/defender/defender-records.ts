import { z } from 'zod';

/** An investigation as Defender shows it, as far as it is of use here. */
export interface Investigation {
  readonly id: string;
  /** Whole seconds; one that was only just begun may have none. */
  readonly startTimeMs: number | undefined;
  readonly endTimeMs: number | undefined;
  /** One of Defender's 18 states, or a new one. */
  readonly state: string;
  readonly machineId: string | undefined;
  readonly triggeringAlertId: string | undefined;
}

export interface Alert {
  readonly id: string;
  readonly createdAtMs: number;
  readonly title: string;
  readonly detectionSource: string;
  readonly machineId: string | undefined;
  /** Missing until Defender has linked the two. */
  readonly investigationId: string | undefined;
  /** Free text; names who started an investigation by hand. */
  readonly description: string;
}

/** Investigations have ids of text, alerts name them by number. */
const id = z.union([z.string().min(1), z.number().refine(Number.isSafeInteger)]).transform(String);
const text = z.string().nullish();
const timeMs = z.string().transform((time, context) => {
  const ms = Date.parse(time);
  if (!Number.isNaN(ms)) return ms;
  context.addIssue('not a time');
  return z.NEVER;
});

export const investigation = z
  .object({
    id,
    startTime: timeMs.nullish(),
    endTime: timeMs.nullish(),
    state: text,
    machineId: text,
    triggeringAlertId: text,
  })
  .transform((stored): Investigation => ({
    id: stored.id,
    startTimeMs: stored.startTime ?? undefined,
    endTimeMs: stored.endTime ?? undefined,
    state: stored.state ?? 'Unknown',
    machineId: stored.machineId ?? undefined,
    triggeringAlertId: stored.triggeringAlertId ?? undefined,
  }));

const alert = z
  .object({
    id,
    alertCreationTime: timeMs,
    title: text,
    detectionSource: text,
    machineId: text,
    investigationId: id.nullish(),
    description: text,
  })
  .transform((stored): Alert => ({
    id: stored.id,
    createdAtMs: stored.alertCreationTime,
    title: stored.title ?? '',
    detectionSource: stored.detectionSource ?? '',
    machineId: stored.machineId ?? undefined,
    investigationId: stored.investigationId ?? undefined,
    description: stored.description ?? '',
  }));

export const investigationList = listOf(investigation);
export const alertList = listOf(alert);

/** One page of an OData list. */
function listOf<T extends z.ZodType>(row: T) {
  return z
    .object({ value: z.array(row), '@odata.nextLink': z.string().nullish() })
    .transform((page) => ({ value: page.value, nextLink: page['@odata.nextLink'] ?? undefined }));
}
