import { html } from './lit-html.js';

/** @typedef {{ url: string, tenantId: string } | null} Portal of the tenant that is shown; null where it is not known */

/** As Defender names machines. Nothing else gets into a link. */
const machinePattern = /^[0-9a-f]{32,40}$/;

/**
 * The machine's page in Defender, with its investigations and its action center.
 *
 * @param {Portal} portal
 * @param {string | undefined} machineId
 */
export function portalLink(portal, machineId) {
  if (!portal || machineId === undefined || !machinePattern.test(machineId)) return '';
  const url = `${portal.url}/machines/${machineId}?tid=${encodeURIComponent(portal.tenantId)}`;
  return html`<a
    href=${url}
    target="_blank"
    rel="noopener noreferrer"
    aria-label="Machine ${machineId} in Defender"
    >In Defender</a
  >`;
}
