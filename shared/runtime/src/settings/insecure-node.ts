import type { Env } from './secret-file.ts';

/** Switches of Node itself that give away what goes over TLS, or let it go to anybody. */
const flags: readonly (readonly [flag: string, what: string])[] = [
  ['--tls-keylog', 'writes down the keys of TLS connections'],
  ['--insecure-http-parser', 'takes malformed HTTP for well-formed'],
];

/**
 * What is wrong with the settings that Node itself reads: a service that holds credentials does not start with them,
 * however they came in. One line for each fault.
 */
export function insecureNodeFaults(env: Env, execArgv: readonly string[] = process.execArgv): string[] {
  const faults: string[] = [];
  if (env['NODE_TLS_REJECT_UNAUTHORIZED']?.trim() === '0') {
    faults.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: turns off the check of certificates, so that anybody could take the tokens (expected unset; an authority of your own is trusted by NODE_EXTRA_CA_CERTS)',
    );
  }
  const options = (env['NODE_OPTIONS'] ?? '').split(/[\s"]+/);
  for (const [flag, what] of flags) {
    const isSet = (option: string): boolean => option === flag || option.startsWith(`${flag}=`);
    if (options.some(isSet)) faults.push(`NODE_OPTIONS: ${flag} ${what} (expected without it)`);
    else if (execArgv.some(isSet)) faults.push(`node ${flag}: ${what} (expected without it)`);
  }
  return faults;
}

const proxySettings = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/** Names of the proxy settings that are set. They are not used. */
export function unusedProxySettings(env: Env): string[] {
  return proxySettings.filter((name) => (env[name] ?? '') !== '');
}
