import { html } from '../lit-html.js';
import { fieldOf } from './operations.js';
import { mostMachines } from './read-machines.js';

/** @typedef {import('./operations.js').Operation} Operation */
/** @typedef {Record<string, string>} Values */

const priorities = ['critical', 'high', 'medium', 'low'];
/** More than ten thousand lines can fill. */
const mostBytes = 8_000_000;
/** Some cells have several lines. Browsers stand still over a text of millions. */
const mostLines = 5 * mostMachines;

/**
 * The fields of the form. What was given stands in `values`, by the names of the fields.
 *
 * @param {Values} values
 * @param {Operation[]} operations
 * @param {Operation | undefined} chosen
 * @param {(file: File) => void} onFile
 */
export function fieldsView(values, operations, chosen, onFile) {
  return html`
    <div class="whole">
      <label for="submit-machines"
        >Machines, one a line: machine id, DNS name or Entra device id. Or CSV</label
      >
      <textarea
        id="submit-machines"
        name="machines"
        rows="8"
        required
        spellcheck="false"
        autocapitalize="none"
        aria-describedby="submit-machines-hint"
        .value=${values['machines'] ?? ''}
        @dragover=${(/** @type {DragEvent} */ event) => event.preventDefault()}
        @drop=${(/** @type {DragEvent} */ event) => {
          const file = event.dataTransfer?.files[0];
          if (!file) return;
          event.preventDefault();
          onFile(file);
        }}
      ></textarea>
      <p class="quiet" id="submit-machines-hint">
        A CSV can be dropped here. Its first row names the columns: machineId, machineName or aadDeviceId, and
        comment, priority, source, notAfter, correlation.incident.
      </p>
    </div>
    <div class="wide">
      <label for="submit-file">CSV or text file</label>
      <input
        id="submit-file"
        type="file"
        accept=".csv,.txt,text/csv,text/plain"
        @change=${(/** @type {Event} */ event) => {
          const input = /** @type {HTMLInputElement} */ (event.target);
          const file = input.files?.[0];
          if (file) onFile(file);
          // The same file can be chosen again once it was changed.
          input.value = '';
        }}
      />
    </div>
    ${operationView(operations, chosen)} ${parametersView(values, chosen)}
    <div>
      <label for="submit-priority">Priority</label>
      <select id="submit-priority" name="priority">
        ${priorities.map(
          (name) =>
            html`<option value=${name} ?selected=${name === (values['priority'] ?? 'medium')}>
              ${name}
            </option>`,
        )}
      </select>
    </div>
    ${textField(values, 'source', 'Source (may be left out)', 'helpdesk')}
    ${textField(values, 'key', 'Correlation, name', 'incident')}
    ${textField(values, 'value', 'Correlation, value', 'INC-4711')}
    <div class="whole">
      <label for="submit-comment">Comment, shown in Defender</label>
      <textarea
        id="submit-comment"
        name="comment"
        rows="2"
        maxlength="4000"
        .value=${values['comment'] ?? ''}
      ></textarea>
    </div>
  `;
}

/**
 * @param {File} file
 * @returns {Promise<{ text: string, fault: string }>}
 */
export async function readFile(file) {
  const tooLarge = { text: '', fault: `${file.name} is too large: split it.` };
  if (file.size > mostBytes) return tooLarge;
  const bytes = new Uint8Array(await file.arrayBuffer());
  try {
    const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
    return text.split('\n', mostLines + 1).length > mostLines ? tooLarge : { text, fault: '' };
  } catch {
    // Read as if it were, what is meant for Defender would be there with marks in place of its letters.
    return { text: '', fault: `${file.name} is not in UTF-8: save it as “CSV UTF-8”.` };
  }
}

/**
 * UTF-16 says so at its beginning; Excel saves "Unicode text" in it.
 *
 * @param {Uint8Array} bytes
 */
function encodingOf([first, second]) {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}

/**
 * @param {Operation[]} operations
 * @param {Operation | undefined} chosen
 */
function operationView(operations, chosen) {
  return html`<div class="wide">
    <label for="submit-operation">Operation</label>
    <select id="submit-operation" name="operation">
      ${operations.map(
        ({ name, title, scope, isAllowed }) =>
          html`<option value=${name} ?selected=${name === chosen?.name} ?disabled=${!isAllowed}>
            ${name}: ${title}${isAllowed ? '' : ` (needs the scope ${scope})`}
          </option>`,
      )}
    </select>
  </div>`;
}

/**
 * @param {Values} values
 * @param {Operation | undefined} chosen
 */
function parametersView(values, chosen) {
  const { properties = {}, required = [] } = chosen?.parameters ?? {};
  return Object.entries(properties).map(([name, parameter]) => {
    const field = fieldOf(name);
    const isRequired = required.includes(name);
    const label = html`<label for="submit-${field}">${name}${isRequired ? '' : ' (may be left out)'}</label>`;
    if (parameter.enum) {
      const options = isRequired ? parameter.enum : ['', ...parameter.enum];
      return html`<div>
        ${label}
        <select id="submit-${field}" name=${field}>
          ${options.map((one) => html`<option value=${one} ?selected=${one === values[field]}>${one}</option>`)}
        </select>
      </div>`;
    }
    return parameter.type === 'string'
      ? html`<div>
          ${label}
          <input
            id="submit-${field}"
            name=${field}
            ?required=${isRequired}
            autocomplete="off"
            spellcheck="false"
            .value=${values[field] ?? ''}
          />
        </div>`
      : html`<div class="whole">
          <label for="submit-${field}">${name}, as JSON</label>
          <textarea
            id="submit-${field}"
            name=${field}
            rows="4"
            ?required=${isRequired}
            spellcheck="false"
            placeholder='[{ "type": "RunScript", "params": [{ "key": "ScriptName", "value": "collect.ps1" }] }]'
            .value=${values[field] ?? ''}
          ></textarea>
        </div>`;
  });
}

/**
 * @param {Values} values
 * @param {string} name
 * @param {string} label
 * @param {string} hint
 */
function textField(values, name, label, hint) {
  return html`<div>
    <label for="submit-${name}">${label}</label>
    <input
      id="submit-${name}"
      name=${name}
      placeholder=${hint}
      maxlength="256"
      autocomplete="off"
      .value=${values[name] ?? ''}
    />
  </div>`;
}
