/** @typedef {import('../read-state-document.ts').StateDocument} StateDocument */

/** A connection that is back sooner was not worth a word. */
const patienceMs = 2_500;
const retryMs = 5_000;

/**
 * Listens to the service until told to stop.
 *
 * @param {object} told
 * @param {(document: StateDocument) => void} told.onState
 * @param {(what: string, text: string) => void} told.onTrouble in short, and in full
 * @param {() => void} told.onRefused the service answers, but does not let this browser listen: is it still signed in?
 * @returns {() => void} stops it
 */
export function watchState({ onState, onTrouble, onRefused }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const source = new EventSource('v1/events');

  source.addEventListener('state', (event) => {
    clearTimeout(timer);
    timer = undefined;
    onState(JSON.parse(event.data));
  });
  source.addEventListener('unavailable', () => {
    onTrouble(
      'Redis cannot be reached',
      'Queue and quota cannot be read at the moment. What you see is old.',
    );
  });
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) {
      clearTimeout(timer);
      onTrouble('No state is sent', 'The service does not tell its state at the moment. Trying again.');
      timer = setTimeout(onRefused, retryMs);
    } else {
      timer ??= setTimeout(
        () => onTrouble('Connection lost', 'Connection lost. Trying again. What you see is old.'),
        patienceMs,
      );
    }
  });

  return () => {
    clearTimeout(timer);
    source.close();
  };
}
