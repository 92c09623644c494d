import type { OperationResult } from './profile.ts';

/** The id of a result by its kind, as it is stored and logged. */
export interface ResultFields {
  readonly investigationId?: string;
  readonly actionId?: string;
}

/** A result as one field; none without a result. */
export function fieldsOf(result: OperationResult | undefined): ResultFields {
  if (result === undefined) return {};
  return result.kind === 'investigation' ? { investigationId: result.id } : { actionId: result.id };
}

/** The result that these fields hold. */
export function resultIn({
  investigationId,
  actionId,
}: {
  readonly investigationId?: string | undefined;
  readonly actionId?: string | undefined;
}): OperationResult | undefined {
  if (investigationId !== undefined) return { kind: 'investigation', id: investigationId };
  return actionId === undefined ? undefined : { kind: 'machineAction', id: actionId };
}
