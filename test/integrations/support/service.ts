import type { Stack } from '../../end-to-end/support/stack.ts';
import type { ScriptedAnswer } from './scripted-proxy.ts';

/** What an integration is run against. Readable from the tests on. */
export interface Service {
  /** Of a proxy in front of the intake. */
  readonly url: string;
  readonly key: string;
  readonly api: Stack['api'];
  readonly control: Stack['control'];
  /** What the proxy answers by itself, before it lets requests through again. */
  answerFirst(...answers: ScriptedAnswer[]): void;
  /** Runs this while no call is made. */
  whilePaused<Value>(act: () => Promise<Value>): Promise<Value>;
}
