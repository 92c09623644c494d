import { defineCommand } from '../define-command.ts';
import { checkEnvironment } from '../doctor/check-environment.ts';
import { checkService } from '../doctor/check-service.ts';
import type { Finding } from '../doctor/finding.ts';
import { plain } from '../output/text-table.ts';
import { writeAnswer } from '../output/write-answer.ts';

export const doctor = defineCommand({
  usage: 'doctor',
  about: 'check address, key and clock; with the settings of a worker also Redis, credentials and roles',
  places: {},
  options: {},
  isTargetOptional: true,
  async run(context) {
    const findings: Finding[] = [...(await checkService(context)), ...(await checkEnvironment(context.io))];
    writeAnswer(context, findings, () => findings.map(lineOf).join(''));
    return findings.some(({ state }) => state === 'fault') ? 'otherwise' : 'done';
  },
});

const marks = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ', unknown: 'unknown' } as const;

function lineOf({ check, state, detail, remedy }: Finding): string {
  const line = `${marks[state]}  ${check}: ${plain(detail)}\n`;
  return remedy === undefined ? line : `${line}         → ${plain(remedy)}\n`;
}
