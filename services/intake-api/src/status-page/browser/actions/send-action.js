import { fetchInTime } from '../fetch-in-time.js';

/**
 * What the service is asked to do.
 *
 * @typedef {object} Action
 * @property {'POST' | 'PATCH' | 'DELETE'} method
 * @property {string} url
 * @property {unknown} [body]
 * @property {Record<string, string>} [headers]
 * @property {number} [timeoutMs]
 */

/**
 * @typedef {{ path?: string, message: string }} Fault
 * @typedef {{ status: number, code?: string, title?: string, detail?: string, errors?: Fault[] }} Problem
 */

const noAnswer =
  'The service does not answer. Whether it was done is not known: look again before you repeat it.';

/**
 * @param {Action} action
 * @returns {Promise<string>} why it was not done, in words; '' when it was
 */
export async function sendAction(action) {
  return (await sendForAnswer(action)).fault;
}

/**
 * @param {Action} action
 * @returns {Promise<{ fault: string, faults: Fault[], answer: any, isAnswered: boolean }>} `isAnswered` says whether the service
 *   said what it did; `faults` are those of fields
 */
export async function sendForAnswer({ method, url, body, headers = {}, timeoutMs }) {
  try {
    const response = await fetchInTime(
      url,
      {
        method,
        // Only the own page can send this type with the session's cookie, so it goes along without a body too.
        headers: { 'Content-Type': 'application/json', ...headers },
        ...(method === 'DELETE' ? {} : { body: JSON.stringify(body ?? {}) }),
      },
      timeoutMs,
    );
    if (response.ok) return { fault: '', faults: [], answer: await response.json(), isAnswered: true };
    const problem = await problemOf(response);
    return { fault: describe(problem), faults: problem.errors ?? [], answer: undefined, isAnswered: true };
  } catch {
    return { fault: noAnswer, faults: [], answer: undefined, isAnswered: false };
  }
}

/** @type {Record<string, string>} */
const words = {
  unauthenticated: 'You are no longer signed in. Sign in again.',
  forbidden: 'You lack the scope for this.',
  not_owner: 'It belongs to another caller. Only that caller or an operator can change it.',
  already_dispatched: 'Too late: the call to Defender was already made.',
  already_ended: 'It has already ended.',
};

/**
 * @param {Response} response
 * @returns {Promise<string>} why it was refused, in words
 */
export async function faultOf(response) {
  return describe(await problemOf(response));
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
async function problemOf(response) {
  return { status: response.status, ...(await response.json().catch(() => ({}))) };
}

/** @param {Problem} problem */
function describe({ code = '', title, detail, errors = [], status }) {
  const [first] = errors;
  const text = words[code] ?? (title ? [title, detail].filter(Boolean).join('. ') : `Answer ${status}.`);
  return first?.message ? `${text} ${first.path ?? ''} ${first.message}` : text;
}
