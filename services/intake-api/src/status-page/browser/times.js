import { html } from './lit-html.js';

/** Of the browser, and kept in it: the logs are in UTC, and people may rather read their own clocks. */
const storageKey = 'times';
let isLocal = read() === 'local';

/** @type {Record<'clock' | 'toTheSecond' | 'day' | 'dayOfYear' | 'full', Intl.DateTimeFormatOptions>} */
const forms = {
  clock: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  toTheSecond: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  day: { day: 'numeric', month: 'short' },
  dayOfYear: { dateStyle: 'medium' },
  full: { dateStyle: 'medium', timeStyle: 'medium' },
};
const formatters = { utc: formattersOf({ timeZone: 'UTC' }), local: formattersOf({}) };

/** @param {Intl.DateTimeFormatOptions} zone */
function formattersOf(zone) {
  const made = Object.entries(forms).map(([name, form]) => [
    name,
    new Intl.DateTimeFormat('en-GB', { ...form, ...zone }),
  ]);
  return /** @type {Record<keyof typeof forms, Intl.DateTimeFormat>} */ (Object.fromEntries(made));
}

/**
 * @param {keyof typeof forms} form
 * @param {Date} at
 */
function inZone(form, at) {
  return formatters[isLocal ? 'local' : 'utc'][form].format(at);
}

/**
 * What stands behind each time: UTC, or by how much the clock of the browser was ahead of it then.
 *
 * @param {Date} at
 */
function zoneOf(at, local = isLocal) {
  if (!local) return 'UTC';
  const ahead = -at.getTimezoneOffset();
  const minutes = Math.abs(ahead) % 60;
  const hours = Math.floor(Math.abs(ahead) / 60);
  return `UTC${ahead < 0 ? '-' : '+'}${hours}${minutes ? `:${String(minutes).padStart(2, '0')}` : ''}`;
}

/**
 * The one form of a time on the page: 14:05 UTC, or 15:05 UTC+1, with the date where it is not within half a day, and the year
 * where that is another.
 *
 * @param {string} iso
 * @param {number} nowMs
 */
export function moment(iso, nowMs) {
  const at = new Date(iso);
  const time = `${inZone('clock', at)} ${zoneOf(at)}`;
  if (Math.abs(at.getTime() - nowMs) < 12 * 3_600_000) return time;
  const isThisYear = at.getUTCFullYear() === new Date(nowMs).getUTCFullYear();
  return `${inZone(isThisYear ? 'day' : 'dayOfYear', at)} ${time}`;
}

/**
 * To the second, for a time up to which something is known: 14:05:09 UTC.
 *
 * @param {number} atMs
 */
export function momentToTheSecond(atMs) {
  const at = new Date(atMs);
  return `${inZone('toTheSecond', at)} ${zoneOf(at)}`;
}

/**
 * Pointed at, it has the same in UTC and by the browser's clock.
 *
 * @param {string} iso
 * @param {number} nowMs
 */
export function timeView(iso, nowMs) {
  const at = new Date(iso);
  const both = [
    `${formatters.utc.full.format(at)} UTC`,
    `${formatters.local.full.format(at)} ${zoneOf(at, true)}, here`,
  ];
  return html`<time datetime=${iso} title=${both.join('\n')}>${moment(iso, nowMs)}</time>`;
}

/** What the fields for times are read in, for their labels. */
export function fieldZone() {
  return isLocal ? 'your time' : 'UTC';
}

/**
 * As `<input type="datetime-local">` has it, in the zone of the page.
 *
 * @param {string | undefined} iso
 */
export function timeInField(iso) {
  const at = new Date(iso ?? '');
  if (Number.isNaN(at.getTime())) return '';
  const aheadMs = isLocal ? -at.getTimezoneOffset() * 60_000 : 0;
  return new Date(at.getTime() + aheadMs).toISOString().slice(0, 16);
}

/**
 * The other way round.
 *
 * @param {string} text
 * @returns {string} in ISO 8601; '' where nothing was given
 */
export function readFieldTime(text) {
  return text === '' ? '' : new Date(isLocal ? text : `${text}Z`).toISOString();
}

/**
 * The button that has all times in the other zone. None where both are the same.
 *
 * @param {() => void} onChange
 */
export function zoneButton(onChange) {
  const now = new Date();
  if (now.getTimezoneOffset() === 0 && !isLocal) return '';
  const [shown, other] = [zoneOf(now), isLocal ? 'UTC' : zoneOf(now, true)];
  return html`<button
    type="button"
    class="small"
    aria-label="Times in ${shown}, show ${other}"
    @click=${() => {
      isLocal = !isLocal;
      keep(isLocal ? 'local' : 'utc');
      onChange();
    }}
  >
    Show ${other}
  </button>`;
}

/** Browsers may let a page keep nothing. */
function read() {
  try {
    return localStorage.getItem(storageKey);
  } catch {
    return null;
  }
}

/** @param {string} zone */
function keep(zone) {
  try {
    localStorage.setItem(storageKey, zone);
  } catch {
    // It holds until the page is closed.
  }
}
