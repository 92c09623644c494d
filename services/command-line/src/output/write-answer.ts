import type { Io } from '../io.ts';

/** The answer of a command: for programs one JSON document, for people a text. */
export function writeAnswer(
  { io, isJson }: { io: Io; isJson: boolean },
  document: unknown,
  text: () => string,
): void {
  if (!isJson) {
    io.write(text());
    return;
  }
  // Control characters from 7f on stand in JSON as they are, and a terminal may act on them.
  const escaped = JSON.stringify(document, undefined, 2).replaceAll(
    /[\u007f-\u009f]/g,
    (one) => `\\u00${one.charCodeAt(0).toString(16)}`,
  );
  io.write(`${escaped}\n`);
}
