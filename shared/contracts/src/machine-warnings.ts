import { z } from 'zod';

/** What Defender says of a machine that lets its call come to nothing, or wait for long. The call is made all the same. */
export const machineWarnings = {
  machine_offline:
    'Defender has not heard of this machine lately: what is started may wait until it is back.',
  name_reads_forbidden:
    'The name of the machine is not looked up yet: Defender refuses the application, which needs the role Machine.Read.All.',
  name_reads_failing: 'The name of the machine is not looked up yet: Defender cannot be read at the moment.',
  name_reads_used_up: 'The name of the machine is not looked up yet: the budget of reads is used up.',
  machine_not_onboarded: 'This machine is not onboarded to Defender: the call may be refused, or do nothing.',
} as const;

export type MachineWarning = keyof typeof machineWarnings;

const codes = Object.keys(machineWarnings) as [MachineWarning, ...MachineWarning[]];

/** One entry of `warnings` of a request. */
export const machineWarning = z.strictObject({ code: z.enum(codes), message: z.string() }).meta({
  id: 'MachineWarning',
  description: 'What Defender says of the machine, seen shortly before the call.',
});

/** Out of codes joined by commas, as they are stored; one of another version is left out. */
export function describeWarnings(stored: string): z.output<typeof machineWarning>[] {
  const found = codes.filter((code) => stored.split(',').includes(code));
  return found.map((code) => ({ code, message: machineWarnings[code] }));
}
