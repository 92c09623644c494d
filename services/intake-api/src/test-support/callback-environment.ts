import { secret } from '../callbacks/test-support/callback-world.ts';

/** Settings of an intake that may call these ports of this machine. */
export function callbackEnvironment(...ports: number[]) {
  return {
    CALLBACK_ALLOWED_HOSTS: ['soar.example', ...ports.map((port) => `127.0.0.1:${port}`)].join(),
    CALLBACK_SECRET: secret,
    CALLBACK_ALLOW_HTTP: 'on',
    CALLBACK_ALLOW_PRIVATE: 'on',
  };
}
