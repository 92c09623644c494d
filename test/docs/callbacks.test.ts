import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { requireTools } from '@diq/testing/require-tools.ts';
import { Webhook } from 'standardwebhooks';

const page = readFileSync(new URL('../../docs/callbacks.md', import.meta.url), 'utf8');
const secret = `whsec_${Buffer.from('a key of twenty-four byte').toString('base64')}`;
const otherSecret = `whsec_${Buffer.from('another key of 24 bytes, ').toString('base64')}`;
const body = '{"type":"request.started","data":{"comment":"Zürich 🜁"}}';

/** The code of a language, as it stands in the page. */
function snippet(language: string): string {
  const code = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
  assert.ok(code, `no code in ${language}`);
  return code;
}

function headersAt(at: Date, ...secrets: string[]) {
  const signatures = secrets.map((entry) => new Webhook(entry).sign('request-1', at, body));
  return {
    'webhook-id': 'request-1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': signatures.join(' '),
  };
}

/** Signed when they are used: the examples refuse what is older than some minutes. */
function signedNow() {
  const now = new Date();
  return [
    { name: 'genuine', headers: headersAt(now, secret), body, expected: true },
    { name: 'signed twice', headers: headersAt(now, otherSecret, secret), body, expected: true },
    { name: 'of another secret', headers: headersAt(now, otherSecret), body, expected: false },
    { name: 'changed', headers: headersAt(now, secret), body: `${body} `, expected: false },
    { name: 'old', headers: headersAt(new Date(now.getTime() - 400_000), secret), body, expected: false },
  ];
}

const runs: [language: string, command: string, run: (code: string) => string[]][] = [
  [
    'js',
    process.execPath,
    (code) => [
      '--input-type=module',
      '--eval',
      `${code}\nimport { readFileSync } from 'node:fs';
const cases = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(cases.map((one) => isGenuine(${JSON.stringify(secret)}, one.headers, one.body))));`,
    ],
  ],
  [
    'python',
    'python3',
    (code) => [
      '-c',
      `${code}\nimport json, sys
cases = json.load(sys.stdin)
print(json.dumps([is_genuine(${JSON.stringify(secret)}, one["headers"], one["body"]) for one in cases]))`,
    ],
  ],
];

describe('docs/callbacks.md', () => {
  for (const [language, command, argumentsFor] of runs) {
    it(`has ${language} that recognises genuine callbacks`, function () {
      requireTools(command).call(this);
      const cases = signedNow();
      const { stdout, stderr } = spawnSync(command, argumentsFor(snippet(language)), {
        input: JSON.stringify(cases),
        encoding: 'utf8',
      });
      assert.equal(stderr, '');
      assert.deepEqual(
        JSON.parse(stdout),
        cases.map(({ expected }) => expected),
      );
    });
  }
});
