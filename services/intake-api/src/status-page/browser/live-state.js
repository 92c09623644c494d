/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/** A connection that is back sooner was not worth a word. */
const patienceMs = 2_500;
const retryMs = 5_000;
/** The service sends an event every 15 s at least: two of them did not come. */
const silentAfterMs = 35_000;
/** The state comes at once. A browser may take one dead connection after the other out of its pool. */
const firstWithinMs = 10_000;

/**
 * Listens to the service until the returned function is called.
 *
 * @param {object} listener
 * @param {string} listener.url of the events of one queue
 * @param {(document: StateDocument) => void} listener.onState
 * @param {(what: string, text: string, heardAtMs: number) => void} listener.onTrouble in short, and in full; and when the service
 *   was heard last, by the browser's clock
 * @param {() => void} listener.onRefused the service answers, but does not let this browser listen: is it still signed in?
 * @returns {() => void} stops it
 */
export function watchState({ url, onState, onTrouble, onRefused }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let silence;
  let heardAtMs = Date.now();
  let source = connect();

  function connect() {
    const opened = new EventSource(url);
    opened.addEventListener('heartbeat', heard);
    opened.addEventListener('state', (event) => {
      heard();
      clearTimeout(timer);
      timer = undefined;
      onState(JSON.parse(event.data));
    });
    opened.addEventListener('unavailable', () => {
      // What is shown was true when something was heard before.
      onTrouble(
        'queue and quota cannot be read',
        'Queue and quota cannot be read. The figures are out of date.',
        heardAtMs,
      );
      heard();
    });
    opened.addEventListener('error', lost);
    waitForMore(firstWithinMs);
    return opened;
  }

  function heard() {
    heardAtMs = Date.now();
    waitForMore(silentAfterMs);
  }

  /**
   * A connection that is dead on the way is not closed: nothing comes out of it, and nothing says so.
   *
   * @param {number} withinMs
   */
  function waitForMore(withinMs) {
    clearTimeout(silence);
    silence = setTimeout(() => {
      onTrouble(
        'no data from the service',
        'No data from the service. Reconnecting; the figures are out of date.',
        heardAtMs,
      );
      source.close();
      source = connect();
    }, withinMs);
  }

  function lost() {
    const lastHeardAtMs = heardAtMs;
    if (source.readyState === EventSource.CLOSED) {
      stopWaiting();
      onTrouble('the service sends no state', 'The service sends no state. Trying again.', lastHeardAtMs);
      timer = setTimeout(onRefused, retryMs);
    } else {
      timer ??= setTimeout(
        () =>
          onTrouble(
            'connection lost',
            'Connection lost. Reconnecting; the figures are out of date.',
            lastHeardAtMs,
          ),
        patienceMs,
      );
    }
  }

  function stopWaiting() {
    clearTimeout(timer);
    clearTimeout(silence);
  }

  return () => {
    stopWaiting();
    source.close();
  };
}
