/** So long after it was put aside a task is called though Defender gets no reports of its machine still: nothing starves. */
export const calledAnywayAfterMs = 24 * 3_600_000;
