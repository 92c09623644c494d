import { html } from './lit-html.js';

/** @typedef {{ url: string, tenantId: string } | null} Portal of the tenant that is shown; null where it is not known */

/** As Defender names machines. Nothing else gets into a link. */
const machinePattern = /^[0-9a-f]{32,40}$/;

/**
 * The page in Defender of the machine of a request, with its investigations and its action center. Of a machine that Defender does
 * not know there is none.
 *
 * @param {Portal} portal
 * @param {{ machineId?: string | undefined, error?: { code: string } | null | undefined }} request
 */
export function portalLink(portal, { machineId, error }) {
  if (!portal || machineId === undefined || !machinePattern.test(machineId)) return '';
  if (error?.code === 'machine_not_found') return '';
  const url = `${portal.url}/machines/${machineId}?tid=${encodeURIComponent(portal.tenantId)}`;
  return html`<a
    href=${url}
    target="_blank"
    rel="noopener noreferrer"
    aria-label="Machine ${machineId} in Defender"
    >In Defender</a
  >`;
}
