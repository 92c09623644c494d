import assert from 'node:assert/strict';
import { serviceEnvironment } from './service-environment.ts';

const env = {
  PATH: '/bin',
  NODE_EXTRA_CA_CERTS: 'ca.pem',
  REDIS_URL: 'redis://localhost',
  LOG_LEVEL: 'info',
  DEFENDER_WINDOW: '1h',
  AZURE_TENANT_ID: 'tenant',
  AZURE_CLIENT_ID: 'client',
  AZURE_CLIENT_SECRET: 'secret',
  AZURE_CLIENT_SECRET_FILE: '/run/secrets/defender',
  AZURE_CLIENT_CERTIFICATE_PATH: 'cert.pem',
  AZURE_FEDERATED_TOKEN_FILE: 'token',
  WORKER_PORT: '9091',
  INTAKE_PORT: '8080',
  INTAKE_API_KEYS: 'soar:submit:00',
  INTAKE_API_KEYS_FILE: '/run/secrets/keys',
  SIMULATOR_CLIENT_SECRET: 'simulated',
};

const shared = [
  'AZURE_TENANT_ID',
  'DEFENDER_WINDOW',
  'LOG_LEVEL',
  'NODE_EXTRA_CA_CERTS',
  'PATH',
  'REDIS_URL',
];

describe('the environment of a service', () => {
  it("keeps Defender's credentials, in whatever form, from the intake", () => {
    const names = Object.keys(serviceEnvironment('intake-api', env)).toSorted();
    assert.deepEqual(names, [...shared, 'INTAKE_API_KEYS', 'INTAKE_API_KEYS_FILE', 'INTAKE_PORT'].toSorted());
  });

  it('keeps the API keys, in whatever form, from the worker', () => {
    const given = serviceEnvironment('worker', env);
    assert.deepEqual(
      Object.keys(env).filter((name) => !(name in given)),
      ['INTAKE_PORT', 'INTAKE_API_KEYS', 'INTAKE_API_KEYS_FILE', 'SIMULATOR_CLIENT_SECRET'],
    );
    assert.equal(given['AZURE_CLIENT_SECRET'], 'secret');
  });
});
