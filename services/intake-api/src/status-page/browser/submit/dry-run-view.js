import { html } from '../lit-html.js';
import { machineOf } from '../machine-name.js';
import { wideTableView } from '../table-view.js';
import { timeView } from '../times.js';
import { counted } from '../wording.js';

/** @typedef {import('zod').output<typeof import('@diq/contracts/item-answer.ts').batchDryRun>} DryRun */
/** @typedef {import('./read-machines.js').Machines} Machines */

const mostNamed = 50;

/**
 * What would become of a batch.
 *
 * @param {DryRun} answer
 * @param {Machines} machines
 */
export function dryRunView({ counts, items, expectedCompletionAt }, machines) {
  const nowMs = Date.now();
  const starts = items
    .flatMap((item) => ('expectedStartAt' in item && item.expectedStartAt ? [item.expectedStartAt] : []))
    .toSorted();
  const late = items.filter((item) => 'warning' in item && item.warning).length;
  return html`
    <dl>
      ${fact('Accepted', counted(counts.accepted, 'call'))}
      ${fact('Shared', `${counted(counts.coalesced, 'request')} ${counts.coalesced === 1 ? 'shares' : 'share'} a call with another one`)}
      ${fact('Rejected', counted(counts.rejected, 'item'))} ${fact('Machines named', namedText(machines))}
      ${fact('First start', starts[0] ? html`about ${timeView(starts[0], nowMs)}` : 'not known')}
      ${fact('Last start', expectedCompletionAt ? html`about ${timeView(expectedCompletionAt, nowMs)}` : 'not known')}
      ${late > 0 ? fact('Probably too late', `${counted(late, 'item')}: the deadline comes before the start`) : ''}
      ${machines.unusedColumns.length > 0 ? fact('Columns not used', machines.unusedColumns.join(', ')) : ''}
    </dl>
    ${rejectedView(items, machines)}
  `;
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function fact(name, value) {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

/** @param {Machines} machines */
function namedText({ lines }) {
  const count = (/** @type {'machineId' | 'machineName' | 'aadDeviceId'} */ name) =>
    lines.filter(({ item }) => item[name] !== undefined).length;
  return [
    [count('machineId'), 'by machine id'],
    [count('machineName'), 'by DNS name'],
    [count('aadDeviceId'), 'by Entra device id'],
  ]
    .filter(([number]) => number !== 0)
    .map(([number, how]) => `${number} ${how}`)
    .join(', ');
}

/**
 * The items that are refused, each with its line and the reason.
 *
 * @param {DryRun['items']} items
 * @param {Machines} machines
 */
export function rejectedView(items, { lines }) {
  const rejected = items.flatMap((item) => (item.status === 'rejected' ? [item] : []));
  if (rejected.length === 0) return '';
  return html`
    ${wideTableView(
      'Rejected items',
      [{ title: 'Line' }, { title: 'Machine' }, { title: 'Why it is rejected' }],
      rejected
        .slice(0, mostNamed)
        .map((item) => [
          lines[item.index]?.line,
          html`<span class="any-text">${machineOf(lines[item.index]?.item ?? item)}</span>`,
          html`<span class="long-text">${item.error.message}</span>`,
        ]),
    )}
    ${rejected.length > mostNamed ? html`<p class="quiet">and ${rejected.length - mostNamed} more</p>` : ''}
  `;
}
