import { html } from './lit-html.js';

/** @typedef {{ title: string, isNumber?: boolean }} Column the first one names the row */

/**
 * A table whose rows are named by their first cell.
 *
 * @param {Column[]} columns
 * @param {unknown[][]} rows as many cells each as there are columns
 */
export function tableView(columns, rows) {
  const kind = (/** @type {number} */ i) => (columns[i]?.isNumber ? 'number' : '');
  return html`
    <table>
      <thead>
        <tr>
          ${columns.map(({ title }, i) => html`<th scope="col" class=${kind(i)}>${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map((cell, i) => html`<td class=${kind(i + 1)}>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  `;
}

/**
 * The same where it may be wider than the screen: it can be scrolled by itself, by keyboard too.
 *
 * @param {string} label
 * @param {Column[]} columns
 * @param {unknown[][]} rows
 */
export function wideTableView(label, columns, rows) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>
    ${tableView(columns, rows)}
  </div>`;
}
