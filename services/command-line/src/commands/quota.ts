import type { QuotaDocument } from '@diq/contracts/quota-document.ts';
import { defineCommand } from '../define-command.ts';
import { plain, textTable } from '../output/text-table.ts';
import { writeAnswer } from '../output/write-answer.ts';

export const quota = defineCommand({
  usage: 'quota',
  about: 'show what may be called, what is in the way, and how much waits',
  places: {},
  options: {},
  async run(context) {
    const { client, operation, io } = context;
    const found = await client.getQuota({ operation }, { signal: io.signal });
    writeAnswer(context, found, () => quotaText(found));
    return 'done';
  },
});

function quotaText({ tenant, operation, limits, hold, pause, workers, queue }: QuotaDocument): string {
  const windows = limits.map((one) => [
    `${one.calls} in ${one.windowSeconds} s`,
    one.used,
    one.remaining,
    one.nextSlotAt ?? 'unknown',
  ]);
  const { queued, dispatching, oldestWaitSeconds, expectedDrainAt } = queue;
  const lines = [
    `${tenant}/${operation}`,
    ...(hold
      ? [`HOLD ${hold.reason} until ${hold.until ?? 'it is ended'}: ${plain(hold.detail)} ${hold.runbook}`]
      : []),
    ...(pause
      ? [`PAUSED by ${plain(pause.by)} until ${pause.until ?? 'it is resumed'}: ${plain(pause.reason ?? '')}`]
      : []),
    `workers ${workers.state} (${workers.alive} alive)`,
    `queued ${queued}, being called ${dispatching}, oldest waits ${Math.round(oldestWaitSeconds)} s, last call at ${expectedDrainAt ?? '–'}`,
  ];
  return `${lines.join('\n')}\n${textTable(['limit', 'used', 'free', 'next slot'], windows)}`;
}
