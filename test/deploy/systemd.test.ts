import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settingsExitCode } from '@diq/runtime/processes/run-service.ts';
import { requireTools } from '@diq/testing/require-tools.ts';

const file = new URL('../../deploy/systemd/defender-investigation-queue.service', import.meta.url);
const unit = readFileSync(file, 'utf8');
const valueOf = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1];

describe('the systemd unit', () => {
  it('starts what npm start runs', () => {
    const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    const { scripts } = JSON.parse(manifest) as { scripts: { start: string } };
    assert.equal(valueOf('ExecStart'), `/usr/bin/${scripts.start}`);
  });

  it('does not start again with settings that cannot be used, and lets the services end in order', () => {
    assert.equal(valueOf('RestartPreventExitStatus'), String(settingsExitCode));
    assert.equal(valueOf('KillMode'), 'mixed');
  });

  it('is one that systemd takes', function () {
    requireTools('systemd-analyze').call(this);
    const run = spawnSync('systemd-analyze', ['verify', fileURLToPath(file)], { encoding: 'utf8' });
    // Node may be installed elsewhere on the machine that tests.
    const complaints = (run.stdout + run.stderr)
      .split('\n')
      .filter((line) => !/node is not executable/.test(line));
    assert.equal(complaints.join(''), '');
  });
});
