import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { allFaults as ofEveryRun } from '../fault/faults/all-faults.ts';
import { followingFaults } from '../fault/results/results-faults.ts';

const allFaults = [...ofEveryRun, ...followingFaults];

const page = readFileSync(new URL('../../docs/failure-modes.md', import.meta.url), 'utf8');
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section.split(/^## /m)[0] ?? '']),
);

describe('docs/failure-modes.md', () => {
  it('has one heading for each fault that the harness makes, and none for another', () => {
    assert.deepEqual([...sections.keys()].toSorted(), allFaults.map(({ name }) => name).toSorted());
  });

  for (const { name } of allFaults) {
    it(`says of ${name} what is seen, what happens by itself, how long it takes and what is to be done`, () => {
      const section = (sections.get(name) ?? '').replaceAll(/\s+/g, ' ');
      for (const part of ['You see', 'By itself', 'It takes', 'You do']) {
        assert.ok(section.toLowerCase().includes(`**${part.toLowerCase()}**`), part);
      }
    });
  }

  it('has the figures of a run of at least thirty minutes, with its seed', () => {
    const [, result = ''] = page.split('## The long run');
    const [, minutes] = /(\d+) minutes/.exec(result) ?? [];
    assert.ok(Number(minutes) >= 30, result);
    assert.match(result, /--seed \d+/);
  });

  it('links only to headings that it has', () => {
    const anchors = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
      text.toLowerCase().replaceAll(' ', '-'),
    );
    assert.deepEqual(
      anchors.filter((anchor) => !headings.includes(anchor ?? '')),
      [],
    );
  });
});
