import type { Alert, Investigation, OddRow, Rows } from '../defender/defender-reader.ts';
import { NotReadable, oddRows, type Ask } from './ask.ts';
import { clockSlackMs, longestOpenMs, type Finding, type UnresolvedCall } from './finding.ts';
import { manualStartTitle, matchInvestigation } from './match-investigation.ts';

/** Looks at the machine's alerts first, then at what investigates it. */
export async function findInvestigation(call: UnresolvedCall, ask: Ask): Promise<Finding> {
  const { machineId, sentAtMs, cause } = call;
  const createdSinceMs = sentAtMs - clockSlackMs;
  const alerts: Rows<Alert> =
    cause === 'running'
      ? none
      : ((await ask((reader, token) => reader.listAlerts(token, { machineId, createdSinceMs }))) ?? none);
  const byAlerts = matchInvestigation(call, { alerts: alerts.records, investigations: [] });
  if (byAlerts.kind === 'own' && byAlerts.id !== undefined) return byAlerts;

  const startedSinceMs = sentAtMs - longestOpenMs;
  const investigations: Rows<Investigation> =
    (await ask((reader, token) => reader.listInvestigations(token, { machineId, startedSinceMs }))) ?? none;
  const finding = matchInvestigation(call, {
    alerts: alerts.records,
    investigations: investigations.records,
  });
  if (finding.kind === 'nothing') {
    if (alerts.odd.some(mayBeOurs) || investigations.odd.length > 0) throw new NotReadable(oddRows);
    return finding;
  }
  if (finding.id !== undefined) return finding;

  const { alertId = '' } = finding;
  try {
    const triggered = await ask((reader, token) => reader.findInvestigation(token, alertId));
    return { ...finding, id: triggered?.id };
  } catch (error) {
    // The alert is as good: an answer of another form must not hide what was found.
    if (error instanceof NotReadable && error.why.reason === 'unexpected_answer') return finding;
    throw error;
  }
}

const none = { records: [], odd: [] };

/** An alert that is known to be of another kind can have no time and no id, for all we care. */
function mayBeOurs({ title }: OddRow): boolean {
  return title === undefined || title === manualStartTitle;
}
