import { SingleBar } from 'cli-progress';
import type { Io } from '../io.ts';

/** How far something is. */
export interface Progress {
  ended: number;
  total: number;
  words: string;
}

/** Shows progress beside the answer: a bar on a terminal, else a line for each change. */
export function createWatchView({ terminal, complain }: Pick<Io, 'terminal' | 'complain'>) {
  if (!terminal) {
    let last = '';
    return {
      show({ ended, total, words }: Progress) {
        const line = `${ended}/${total}  ${words}\n`;
        if (line !== last) complain(line);
        last = line;
      },
      close: () => undefined,
    };
  }
  const format = '{bar} {value}/{total}  {words}';
  const bar = new SingleBar({
    format,
    stream: terminal,
    barsize: 18,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    // Ctrl-C is ours: it ends the watching with a word about what goes on.
    gracefulExit: false,
  });
  let isShown = false;
  return {
    show({ ended, total, words }: Progress) {
      if (!isShown) bar.start(total, 0, { words: '' });
      isShown = true;
      bar.update(ended, { words });
    },
    close() {
      if (isShown) bar.stop();
      isShown = false;
    },
  };
}
