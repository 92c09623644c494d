import { z } from 'zod';
import { digestOf, liveCommands, shownCommands } from './live-commands.ts';
import { adviceFor, machineActionProfile } from './machine-action-profile.ts';
import { actionPath, machinePath } from './machine-path.ts';
import type { OperationProfile } from './profile.ts';

const parameters = z.strictObject({
  commands: liveCommands.describe(
    'What is run, in this order: `PutFile` with `FileName`, `RunScript` with `ScriptName` and perhaps `Args`, `GetFile` with `Path`. The command that fails is the last one.',
  ),
});

/**
 * Answered with 201 or 200 and a MachineAction. One session at a time on a machine: a further call is refused with the code of
 * `alreadyRunning`, whatever its commands. One for a machine that is offline stays pending for up to three days and takes a
 * place all that time.
 */
export const runLiveResponse = {
  ...machineActionProfile,
  // A machine that is switched off has three days, and the session an hour.
  followForMs: 73 * 3_600_000,
  name: 'runLiveResponse',
  title: 'Run commands on a machine',
  wording: { noun: 'live response', one: 'a live response' },
  limits: [{ calls: 10, windowMs: 60_000 }],
  parameters,
  coalescingKey: ({ commands }) => digestOf(commands),
  // What the commands find and do belongs to the moment.
  isReusable: false,
  path: (machineId) => machinePath(machineId, 'runliveresponse'),
  body: ({ comment, parameters: { commands } }) => ({ Comment: comment, Commands: commands }),
  records: {
    list: 'machineActions',
    type: 'LiveResponse',
    covers: (action, { commands }) => {
      const running = shownCommands(action.commands);
      return running !== undefined && digestOf(running) === digestOf(commands);
    },
  },
  download: {
    kind: 'results',
    path: (actionId, index) => actionPath(actionId, `GetLiveResponseResultDownloadLink(index=${index})`),
    // A link is good for 30 minutes; who gets it needs time to use it.
    goodForMs: 15 * 60_000,
  },
  order: 'liveResponse',
  // Offline machines hold a place for up to three days. A fifth of the places passes as many of them on as come back in time, and leaves
  // twenty that are free again within minutes.
  concurrency: { calls: 25, offlineCalls: 5 },
  requiredRole: 'Machine.LiveResponse',
  risk: 'respond',
  advice: adviceFor('Machine.LiveResponse'),
} as const satisfies OperationProfile<z.output<typeof parameters>>;
