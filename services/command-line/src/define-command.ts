import type { InferredOptionTypes, Options, PositionalOptions } from 'yargs';
import type { DiqClient, TenantClient } from '@diq/client/client.ts';
import type { OperationName } from '@diq/contracts/operations.ts';
import type { AnswerSeen } from '@diq/client/transport.ts';
import type { CommandFailure } from './command-failure.ts';
import type { Target } from './connection/find-target.ts';
import type { Ending } from './exit-codes.ts';
import type { Io } from './io.ts';

/** What a command works with. */
export interface Context {
  readonly io: Io;
  readonly isJson: boolean;
  /** The tenant that was named, by an option or where address and key come from. */
  readonly tenant: string | undefined;
  /** The calls of the tenant that was named, or of the only one. */
  readonly client: TenantClient;
  readonly service: DiqClient;
  readonly operation: OperationName | undefined;
  /** Or why there is none, where a command runs without. */
  readonly target: Target | CommandFailure;
  /** The last answer of the service. */
  readonly lastAnswer: () => AnswerSeen | undefined;
}

interface Shape<Places, Named> {
  /** As yargs has it: the name, then what stands behind it. */
  usage: string;
  about: string;
  places: Places;
  options: Named;
  /** It runs without address and key, too. */
  isTargetOptional?: true;
  examples?: readonly (readonly [line: string, about: string])[];
}

/** A command, as the parser needs it. */
export interface Command extends Shape<Record<string, PositionalOptions>, Record<string, Options>> {
  run(context: Context, args: Record<string, unknown>): Promise<Ending>;
}

/** Declares a command: arguments and their types follow from what is declared. */
export function defineCommand<
  const Places extends Record<string, PositionalOptions>,
  const Named extends Record<string, Options>,
>(
  command: Shape<Places, Named> & {
    run(context: Context, args: InferredOptionTypes<Places> & InferredOptionTypes<Named>): Promise<Ending>;
  },
): Command {
  return command;
}
