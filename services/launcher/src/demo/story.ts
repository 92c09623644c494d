import type { DemoStack, DemoStackOptions } from './demo-stack.ts';

/** What a run of the demo is given, whatever it shows. */
export type Story = Omit<DemoStackOptions, 'limit'> & {
  readonly isVerbose: boolean;
  readonly write: (text: string) => void;
};

/** Defender's own number; only the window is shortened. */
export const limit = 5;

/** Where everything listens, for the reader who wants to look in. */
export function addresses({ intakeUrl, workerUrl, simulatorUrl, redisUrl }: DemoStack): string {
  return `
  intake API         ${intakeUrl}
  worker             ${workerUrl} (health and metrics)
  Defender, Entra ID ${simulatorUrl} (simulated)
  embedded Valkey    ${redisUrl} (keeps nothing when it stops)

`;
}
