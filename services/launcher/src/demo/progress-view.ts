import { SingleBar } from 'cli-progress';
import type { BatchProgress } from './follow-batch.ts';

export interface ProgressView {
  show(progress: BatchProgress): void;
  /** Leaves the terminal as it was found. May be called again. */
  close(): void;
}

/** A bar that moves. */
export function createProgressBar(stream: NodeJS.WritableStream): ProgressView {
  const format = '  {bar} {value}/{total}  {words}';
  const bar = new SingleBar({ format, stream, barsize: 18, barCompleteChar: '█', barIncompleteChar: '░' });
  let isShown = false;
  return {
    show(progress) {
      if (!isShown) bar.start(progress.total, 0, { words: '' });
      isShown = true;
      bar.update(progress.total - progress.waiting, { words: describe(progress) });
    },
    close() {
      if (isShown) bar.stop();
      isShown = false;
    },
  };
}

/** A line whenever a count has changed or the next slot became known, for where a bar cannot move. */
export function createProgressLines(write: (text: string) => void): ProgressView {
  let last = '';
  return {
    show(progress) {
      const news = describe({ ...progress, nextSlotInS: progress.nextSlotInS === undefined ? undefined : 0 });
      if (news === last) return;
      last = news;
      write(`  ${progress.total - progress.waiting}/${progress.total}  ${describe(progress)}\n`);
    },
    close: () => undefined,
  };
}

function describe({ started, waiting, failed, nextSlotInS }: BatchProgress): string {
  const counts = `started ${started}, waiting ${waiting}, failed ${failed}`;
  return nextSlotInS === undefined ? counts : `${counts}; next slot in ${nextSlotInS} s`;
}
