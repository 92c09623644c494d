/** @typedef {import('../../live-state/read-state-document.ts').StateDocument} StateDocument */

/** @type {Record<string, string>} */
const holdReasons = {
  throttled: 'Defender asked to wait',
  not_allowed: 'Defender refuses the application',
  no_token: 'no access token can be obtained',
  endpoint_unusable: 'something other than Defender’s API answers',
  disabled: 'the feature is switched off in Defender for this tenant',
  retired: 'Defender no longer offers this call',
  unreachable: 'Defender cannot be reached',
  failing: 'Defender answers with errors',
  paused: 'paused by an operator',
  cold_start: 'the calls of the last window are being read from Defender',
  failover: 'Redis was restarted or failed over; workers report the calls they know',
};

/** @param {string} reason */
export function holdReason(reason) {
  return holdReasons[reason] ?? reason;
}

/**
 * As on a clock: 4:05, or 1:04:05.
 *
 * @param {number} ms
 */
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/**
 * In the two greatest units: 2 d 3 h, 5 min, 20 s.
 *
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** Minutes; the countdown is read out when one of them is reached, not each second. */
const marks = [1, 5, 15, 30, 60];

/**
 * What a screen reader announces when it changes.
 *
 * @param {StateDocument} state
 * @param {number} nowMs
 */
export function announcement(state, nowMs) {
  if (state.workers.state === 'absent') return 'No worker is running. Nothing is called.';
  if (state.workers.state === 'stalled') return 'The workers are stalled. Nothing is called.';
  if (state.hold) return `On hold: ${holdReason(state.hold.reason)}.`;
  if (state.remaining > 0) return 'A slot is free.';
  if (state.nextSlotAt === null) return '';
  const minutes = (Date.parse(state.nextSlotAt) - nowMs) / 60_000;
  const mark = marks.find((one) => minutes <= one);
  return mark === undefined
    ? 'The next slot opens in more than an hour.'
    : `The next slot opens within ${counted(mark, 'minute')}.`;
}

/** What to do about a request whose outcome is unknown, as the runbook has it. */
export const unknownAdvice =
  'Look the machine up in the Defender portal (device page, Action center). If the call was made, there is nothing to do. If not, retry the request.';
