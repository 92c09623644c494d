import type { DemoStack } from './demo-stack.ts';

/** A machine that is not in the bulk file, so that pasting the line starts a call of its own. */
const freshMachineId = '0a1b2c3d4e5f60718293a4b5c6d7e8f901234567';

/** What a person needs to go on by hand: the page, the key, and a request to paste. */
export function sandboxGuide({
  intakeUrl,
  apiKey,
  tenant,
  person,
}: Pick<DemoStack, 'intakeUrl' | 'apiKey' | 'tenant' | 'person'>): string {
  const root = tenant === undefined ? '/v1' : `/v1/tenants/${tenant}`;
  return `
Everything stays up until Ctrl-C. Nothing is kept after that.

  Status page  ${intakeUrl}/
  API          ${intakeUrl}/docs
  API key      ${apiKey}
${person === undefined ? '' : `  Entra ID     or sign in to the page as ${person} (no password; the browser warns of the simulator's certificate)\n`}
Request one more investigation:

curl -s ${intakeUrl}${root}/investigations -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' -d '{"machineId":"${freshMachineId}","comment":"Sandbox: suspicious logon","priority":"critical"}'

For the curl calls of README.md and docs/api.md, in another terminal:

export INTAKE=${intakeUrl} API_KEY=${apiKey}

For the command line, in another terminal (npm run --silent diq -- --help):

export DIQ_URL=${intakeUrl} DIQ_API_KEY=${apiKey}${tenant === undefined ? '' : ` DIQ_TENANT=${tenant}`}
${tenant === undefined ? '' : `\nThe key reaches several tenants: write ${root}/… in place of /v1/… there.\n`}
`;
}
