import { readIntakeSettings } from '@diq/intake-api/config/config.ts';

/** What the intake has against these secrets; `undefined` when it takes them. */
export function readApiKeyFault(apiKeys: string, callbackSecret: string): string | undefined {
  try {
    readIntakeSettings({
      REDIS_URL: 'redis://localhost:6379',
      AZURE_TENANT_ID: '11111111-2222-3333-4444-555555555555',
      INTAKE_API_KEYS: apiKeys,
      CALLBACK_ALLOWED_HOSTS: 'soar.example.com',
      CALLBACK_SECRET: callbackSecret,
    });
    return undefined;
  } catch (error) {
    return String(error);
  }
}
