import { randomUUID } from 'node:crypto';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { setUpSignIn, type Simulator } from './simulator-control.ts';

/** Who can sign in to the page of a demo that stays up. The simulator asks for no password. */
export const demoPerson = {
  username: 'anna@demo.example',
  name: 'Anna of the demo',
  roles: ['Investigations.Admin'],
};

/** The application to which people sign in; its secret is made up for the run. */
export interface PageApplication {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly publicUrl: string;
}

/** Settings with which an intake lets people sign in by the simulated Entra ID. */
export function signInEnv(application: PageApplication, { simulatorUrl, caFile }: Simulator): Env {
  const { tenantId, clientId, clientSecret, publicUrl } = application;
  return {
    INTAKE_ENTRA_TENANT_ID: tenantId,
    INTAKE_ENTRA_AUDIENCE: clientId,
    INTAKE_ENTRA_AUTHORITY_HOST: simulatorUrl,
    INTAKE_ENTRA_CLIENT_ID: clientId,
    INTAKE_ENTRA_CLIENT_SECRET: clientSecret,
    INTAKE_PUBLIC_URL: publicUrl,
    NODE_EXTRA_CA_CERTS: caFile,
  };
}

/** Makes the simulated Entra ID know application and person. */
export async function registerPerson(application: PageApplication, simulator: Simulator): Promise<void> {
  const { clientId, clientSecret, publicUrl } = application;
  await setUpSignIn(simulator, {
    clientId,
    clientSecret,
    redirectUris: [`${publicUrl}/session/entra/callback`],
    people: [{ ...demoPerson, oid: randomUUID() }],
  });
}
