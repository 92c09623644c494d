import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Alert, Investigation } from '../defender/defender-records.ts';
import { clockSlackMs, type UnresolvedCall } from './finding.ts';
import { manualStartTitle, matchInvestigation } from './match-investigation.ts';

const clientId = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee';
const sentAtMs = 1_000_000;
const arrivedByMs = sentAtMs + 35_000;
const lost: UnresolvedCall = {
  machineId: 'm',
  parameters: {},
  correlationToken: '[diq:task-1]',
  cause: 'lost',
  sentAtMs,
  arrivedByMs,
  clientId,
  reported: new Set(),
};
const running: UnresolvedCall = { ...lost, cause: 'running' };

const text = (actor: string) => `${actor} initiated an Automated investigation on desktop-1.`;
const own = text(clientId);
const person = text('Jane Doe(jane@contoso.com)');
const otherApp = text('99999999-bbbb-cccc-dddd-eeeeeeeeeeee');
const anyActor = text('Investigation Queue');

let number = 0;
function alert(fields: Partial<Alert> = {}): Alert {
  number += 1;
  return {
    id: `alert-${number}`,
    createdAtMs: sentAtMs + 1_000,
    title: manualStartTitle,
    machineId: 'm',
    investigationId: String(number),
    description: own,
    ...fields,
  };
}

function investigation(fields: Partial<Investigation> = {}): Investigation {
  number += 1;
  return {
    id: String(number),
    startTimeMs: sentAtMs + 1_000,
    endTimeMs: undefined,
    state: 'Running',
    machineId: 'm',
    triggeringAlertId: `alert-of-${number}`,
    ...fields,
  };
}

const weigh = (alerts: Alert[], investigations: Investigation[] = [], call = lost) =>
  matchInvestigation(call, { alerts, investigations });
const traceOf = (kind: 'own' | 'covering', { id, investigationId }: Alert) => ({
  kind,
  id: investigationId,
  alertId: id,
});

describe('what Defender shows of a machine whose call got no answer', () => {
  it('is nothing where there is neither alert nor investigation', () => {
    assert.deepEqual(weigh([]), { kind: 'nothing' });
  });

  describe('is our own', () => {
    it('where the one alert of a manual start in that time names us, or a name that any actor can have', () => {
      for (const description of [own, own.toUpperCase(), anyActor, '']) {
        const one = alert({ description });
        assert.deepEqual(weigh([one]), traceOf('own', one), description);
      }
    });

    it('where several were raised and one names us', () => {
      const ours = alert();
      const others = [person, otherApp, anyActor].map((description) => alert({ description }));
      assert.deepEqual(weigh([...others, ours]), traceOf('own', ours));
    });

    it('where the others name other actors and one names none', () => {
      const ours = alert({ description: anyActor });
      assert.deepEqual(weigh([alert({ description: person }), ours]), traceOf('own', ours));
    });

    it('from some seconds before the call to some after its end, because clocks differ, and not beyond', () => {
      for (const [createdAtMs, kind] of [
        [sentAtMs - clockSlackMs - 1, 'nothing'],
        [sentAtMs - clockSlackMs, 'own'],
        [arrivedByMs + clockSlackMs, 'own'],
        [arrivedByMs + clockSlackMs + 1, 'covering'],
      ] as const) {
        assert.equal(weigh([alert({ createdAtMs })]).kind, kind, String(createdAtMs));
      }
    });

    it('also before Defender has linked alert and investigation, which the investigation itself may show', () => {
      const one = alert({ investigationId: undefined });
      assert.deepEqual(weigh([one]), traceOf('own', one));
      const triggered = investigation({ triggeringAlertId: one.id });
      assert.deepEqual(weigh([one], [triggered]), { ...traceOf('own', one), id: triggered.id });
    });
  });

  describe('covers the machine without proof that it is ours', () => {
    it('where several alerts look the same: the first after the call', () => {
      for (const description of [own, anyActor]) {
        const [before, first, second] = [-1, 1, 2].map((ms) =>
          alert({ description, createdAtMs: sentAtMs + ms }),
        ) as [Alert, Alert, Alert];
        assert.deepEqual(weigh([second, before, first]), traceOf('covering', first));
        assert.deepEqual(weigh([before, alert({ createdAtMs: sentAtMs - 2, description })]).kind, 'covering');
      }
    });

    it('where it was reported to others before the call was made, however well it fits', () => {
      const theirs = alert({ createdAtMs: sentAtMs - 1_000 });
      const unlinked = { ...theirs, investigationId: undefined };
      const triggered = investigation({ id: theirs.investigationId ?? '', triggeringAlertId: theirs.id });
      const call = { ...lost, reported: new Set([theirs.investigationId ?? '']) };
      assert.deepEqual(weigh([theirs], [], call), traceOf('covering', theirs));
      assert.deepEqual(weigh([unlinked], [triggered], call), traceOf('covering', theirs));
      const ours = alert();
      assert.deepEqual(weigh([theirs, ours], [], call), traceOf('own', ours));
    });

    it('where the alert names a person or another application', () => {
      for (const description of [person, otherApp]) {
        const one = alert({ description });
        assert.deepEqual(weigh([one]), traceOf('covering', one));
      }
    });

    it('where only an investigation shows, one that runs before one that has ended', () => {
      const ended = investigation({ endTimeMs: sentAtMs + 9_000, state: 'Benign' });
      const old = investigation({ startTimeMs: sentAtMs - 3_600_000, state: 'PendingApproval' });
      assert.deepEqual(weigh([], [ended]), covering(ended));
      assert.deepEqual(weigh([], [ended, old]), covering(old));
      const alien = alert({ title: 'Malware found' });
      assert.deepEqual(weigh([alien], [old]), covering(old), 'other alerts are none of our business');
    });

    it('never by an investigation that had ended before the call, nor by one in which nothing was looked at', () => {
      const gone = investigation({
        startTimeMs: sentAtMs - 3_600_000,
        endTimeMs: sentAtMs - 3_000_000,
        state: 'Running',
      });
      const closed = investigation({ startTimeMs: sentAtMs - 3_600_000, state: 'TerminatedBySystem' });
      assert.deepEqual(weigh([], [gone, closed]), { kind: 'nothing' });
      for (const state of ['UnsupportedOs', 'UnsupportedAlertType', 'SuppressedAlert', 'PreexistingAlert']) {
        assert.deepEqual(weigh([], [investigation({ state })]), { kind: 'nothing' }, state);
      }
    });

    it('by one in an unfamiliar state', () => {
      const odd = investigation({ startTimeMs: undefined, state: 'Hibernating' });
      assert.deepEqual(weigh([], [odd]), covering(odd));
    });
  });

  it('is what runs, whatever started it, where the call was refused because something runs', () => {
    const old = investigation({ startTimeMs: sentAtMs - 3_600_000 });
    const newer = investigation({ startTimeMs: sentAtMs - 1_000_000 });
    assert.deepEqual(weigh([alert()], [old, newer], running), covering(newer));
    assert.deepEqual(weigh([alert()], [], running), { kind: 'nothing' });
  });

  it('is attached to what ran when the call was refused because of it, though it has ended since', () => {
    const ended = { startTimeMs: sentAtMs - 600_000, endTimeMs: sentAtMs + 2_000, state: 'Benign' };
    const ran = investigation(ended);
    assert.deepEqual(weigh([], [ran], running), covering(ran));
    assert.deepEqual(weigh([], [ran]), { kind: 'nothing' });
    const before = investigation({ ...ended, endTimeMs: sentAtMs - 60_000 });
    assert.deepEqual(weigh([], [before], running), { kind: 'nothing' });
  });

  it('does not depend on the order in which it is shown', () => {
    const anAlert = fc
      .record({
        description: fc.constantFrom(own, person, otherApp, anyActor),
        at: fc.integer({ min: -10_000, max: 60_000 }),
      })
      .map(({ description, at }) => alert({ description, createdAtMs: sentAtMs + at }));
    const anInvestigation = fc
      .record({
        at: fc.integer({ min: -10_000, max: 60_000 }),
        state: fc.constantFrom('Running', 'Benign', 'UnsupportedOs'),
      })
      .map(({ at, state }) => investigation({ startTimeMs: sentAtMs + at, state }));
    const distinct = { maxLength: 4, selector: (one: { createdAtMs: number }) => one.createdAtMs };
    const distinctStarts = {
      maxLength: 3,
      selector: (one: { startTimeMs: number | undefined }) => one.startTimeMs,
    };
    fc.assert(
      fc.property(
        fc.uniqueArray(anAlert, distinct),
        fc.uniqueArray(anInvestigation, distinctStarts),
        (alerts, investigations) => {
          const finding = weigh(alerts, investigations);
          assert.deepEqual(weigh(alerts.toReversed(), investigations.toReversed()), finding);
          // Never called our own what names another actor.
          if (finding.kind !== 'own') return;
          const source = alerts.find(({ id }) => id === finding.alertId);
          assert.ok(source && source.description !== person && source.description !== otherApp);
        },
      ),
    );
  });
});

function covering({ id, triggeringAlertId }: Investigation) {
  return { kind: 'covering', id, alertId: triggeringAlertId };
}
