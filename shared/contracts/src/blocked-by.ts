import { z } from 'zod';

/** Why a request waits for something else than a slot. */
export const blockReasons = ['machine_busy', 'concurrency', 'machine_offline'] as const;

const time = z.iso.datetime();

export const blockedBy = z
  .strictObject({
    reason: z
      .enum(blockReasons)
      .describe(
        '`machine_busy`: an operation that was accepted earlier on the machine goes first. `concurrency`: Defender runs as many as it runs at once. `machine_offline`: Defender gets no reports of the machine, and others go first.',
      ),
    message: z.string(),
    behind: z
      .strictObject({ operation: z.string(), acceptedAt: time })
      .optional()
      .describe('Of `machine_busy`: what goes first on the machine.'),
    running: z.int().nonnegative().optional().describe('Of `concurrency`: how many run.'),
    limit: z.int().positive().optional().describe('Of `concurrency`: how many run at once, at most.'),
    since: time.optional().describe('Of `machine_offline`: when it was put behind the others.'),
    calledAnywayAt: time
      .optional()
      .describe(
        'Of `machine_offline`: from when on it is called all the same, as soon as there is room for a machine that is offline.',
      ),
  })
  .meta({
    id: 'BlockedBy',
    description: 'What a request waits for beside a slot. It has no `expectedStartAt` meanwhile.',
  });

export type BlockedBy = z.output<typeof blockedBy>;
