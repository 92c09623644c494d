import yargs, { type Argv } from 'yargs';
import { createClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { AnswerSeen } from '@diq/client/transport.ts';
import type { OperationName } from '@diq/contracts/operations.ts';
import { version } from '@diq/runtime/build-info.ts';
import { cancel } from './commands/cancel.ts';
import { doctor } from './commands/doctor.ts';
import { get } from './commands/get.ts';
import { list } from './commands/list.ts';
import { pause, resume } from './commands/pause.ts';
import { queues } from './commands/queues.ts';
import { quota } from './commands/quota.ts';
import { retry } from './commands/retry.ts';
import { submit } from './commands/submit.ts';
import { watch } from './commands/watch.ts';
import { CommandFailure, describeDiqError } from './command-failure.ts';
import { findTarget } from './connection/find-target.ts';
import type { Command, Context } from './define-command.ts';
import { exitCodes, type Ending } from './exit-codes.ts';
import type { Io } from './io.ts';
import { plain } from './output/text-table.ts';
import { sharedOptions } from './request-options.ts';

/** In the order of the help. */
export const commands: readonly Command[] = [
  submit,
  watch,
  get,
  list,
  cancel,
  retry,
  quota,
  queues,
  pause,
  resume,
  doctor,
];

/** The parser takes a lone dash for an option without a name. No argument of a process has this character. */
const stdinMark = '\0stdin';
/** Of the help, on every terminal. */
const helpColumns = 100;

/** Runs one command line. @returns the exit code */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  let ending: Ending = 'done';
  const parser = createParser(argv, async (command, args) => {
    ending = await runCommand(command, args, io);
  });
  try {
    // What the parser itself has to say: help, version, completions.
    await parser.parseAsync(
      argv.map((argument) => (argument === '-' ? stdinMark : argument)),
      {},
      (_error, _args, output) => {
        if (output) io.write(`${output}\n`);
      },
    );
    return exitCodes[ending].code;
  } catch (error) {
    const failure = failureOf(error, io);
    io.complain(['diq: ' + plain(failure.message), ...failure.lines.map(plainLine)].join('\n') + '\n');
    return exitCodes[failure.ending].code;
  }
}

/** The parser, also for those who only want its help. */
export function createParser(
  argv: readonly string[],
  run: (command: Command, args: Record<string, unknown>) => Promise<void>,
): Argv {
  const parser = yargs([...argv])
    .scriptName('diq')
    .usage('$0 <command>\n\nSubmit machines to a Defender Investigation Queue, and see what becomes of them.')
    .options(sharedOptions)
    .version(version)
    .completion('completion', 'print what completes commands and options in bash or zsh')
    .help()
    .demandCommand(1, 1, 'Name a command; see: diq --help', 'Name one command; see: diq --help')
    .strict()
    .recommendCommands()
    .wrap(helpColumns)
    .exitProcess(false)
    .epilogue(endingsText())
    .fail((message, error) => {
      throw error ?? new CommandFailure('usage', message);
    });
  for (const command of commands) {
    parser.command(
      command.usage,
      command.about,
      (builder) => {
        for (const [name, options] of Object.entries(command.places)) builder.positional(name, options);
        for (const [line, about] of command.examples ?? []) builder.example(line, about);
        return builder.options(command.options).epilogue('');
      },
      (args) => run(command, args['file'] === stdinMark ? { ...args, file: '-' } : args),
    );
  }
  return parser;
}

function endingsText(): string {
  const lines = Object.values(exitCodes).map(
    ({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`,
  );
  return `Exit codes:\n${lines.join('\n')}\n\nDIQ_URL and DIQ_API_KEY, or a profile, say where the service is: docs/diq.md.`;
}

async function runCommand(command: Command, args: Record<string, unknown>, io: Io): Promise<Ending> {
  const keyStdin = args['keyStdin'] === true;
  if (keyStdin && args['file'] === '-')
    throw new CommandFailure('usage', 'stdin is either the key or the file');
  const profile = args['profile'] as string | undefined;
  const target = await findTarget({ profile, keyStdin }, io).catch((error: unknown) => {
    io.signal.throwIfAborted();
    if (command.isTargetOptional && error instanceof CommandFailure) return error;
    throw error;
  });
  let lastAnswer: AnswerSeen | undefined;
  const { url, key, tenant: tenantOfProfile } = target instanceof CommandFailure ? noTarget : target;
  const service = createClient({
    url,
    credential: key,
    onAnswer: (answer) => (lastAnswer = answer),
    onRetry: ({ call, code, waitMs }) =>
      io.complain(`${call}: ${plain(code)}; once more in ${Math.ceil(waitMs / 1_000)} s\n`),
  });
  const tenant = (args['tenant'] as string | undefined) ?? tenantOfProfile;
  const context: Context = {
    io,
    isJson: args['json'] === true,
    service,
    tenant,
    client: tenant === undefined ? service : service.ofTenant(tenant),
    operation: args['operation'] as OperationName | undefined,
    target,
    lastAnswer: () => lastAnswer,
  };
  return command.run(context, args);
}

/** Never asked. */
const noTarget = { url: 'http://127.0.0.1', key: '', tenant: undefined };

function failureOf(error: unknown, { signal }: Io): CommandFailure {
  if (signal.aborted) return new CommandFailure('stopped', 'Stopped.');
  if (error instanceof CommandFailure) return error;
  if (error instanceof DiqError) return describeDiqError(error);
  // The parser's own: an option that is missing, or has no such choice.
  if (error instanceof Error && error.name === 'YError') return new CommandFailure('usage', error.message);
  throw error;
}

function plainLine(line: string): string {
  return line.split('\n').map(plain).join('\n');
}
