/** How `diq` ends, for scripts. docs/diq.md has the same list. */
export const exitCodes = {
  done: { code: 0, meaning: 'what was asked for is done' },
  otherwise: {
    code: 1,
    meaning: 'done, and something ended otherwise: rejected, failed, or a fault that doctor found',
  },
  usage: { code: 2, meaning: 'the arguments or the file cannot be used; nothing was sent' },
  access: {
    code: 3,
    meaning: 'no address or key, a profile that others can read, or a key without the scope',
  },
  notFound: { code: 4, meaning: 'no request or batch has this id, or no tenant this name' },
  refused: { code: 5, meaning: 'the service refused what was asked' },
  unavailable: { code: 6, meaning: 'no answer, or the service asks to come later' },
  notInTime: { code: 7, meaning: 'it had not ended when --timeout was over; it goes on' },
  notWritten: {
    code: 8,
    meaning: 'the answer could not be written, as on a full disk; what was asked for is done',
  },
  stopped: { code: 130, meaning: 'stopped by a signal; what was submitted goes on' },
} as const satisfies Record<string, { code: number; meaning: string }>;

export type Ending = keyof typeof exitCodes;
