import { defineCommand } from '../define-command.ts';
import { plain } from '../output/text-table.ts';
import { writeAnswer } from '../output/write-answer.ts';
import { reasonOption } from '../request-options.ts';

export const pause = defineCommand({
  usage: 'pause',
  about: 'make no calls until the queue is resumed',
  places: {},
  options: {
    reason: { type: 'string', demandOption: true, describe: 'why, for the audit record' },
    until: { type: 'string', describe: 'ISO 8601: the pause ends by itself then' },
  },
  async run(context, { reason, until }) {
    const { client, operation, io } = context;
    const answer = await client.pauseQueue({ operation, reason, until }, { signal: io.signal });
    const by = answer.pause?.by ?? '';
    writeAnswer(
      context,
      answer,
      () => `paused by ${plain(by)} until ${answer.pause?.until ?? 'it is resumed'}\n`,
    );
    return 'done';
  },
});

export const resume = defineCommand({
  usage: 'resume',
  about: 'end a pause; other holds stay',
  places: {},
  options: reasonOption,
  async run(context, { reason }) {
    const { client, operation, io } = context;
    const answer = await client.resumeQueue({ operation, reason }, { signal: io.signal });
    writeAnswer(context, answer, () => (answer.wasPaused ? 'resumed\n' : 'nothing was paused\n'));
    return 'done';
  },
});
