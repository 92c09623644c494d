import { readFile } from 'node:fs/promises';

/**
 * Follows a section of the runbook, step by step, in its order. A step is known by its bold words.
 *
 * @throws Error for a step that the section has and `actions` has not, or the other way round: page and drill are to
 *   be changed together.
 */
export async function followRunbook(
  heading: string,
  actions: Readonly<Record<string, () => Promise<void>>>,
): Promise<void> {
  const steps = await stepsOf(heading);
  const unlike = [
    ...steps.filter((step) => !(step in actions)),
    ...Object.keys(actions).filter((step) => !steps.includes(step)),
  ];
  if (unlike.length > 0) throw new Error(`"${heading}" in docs/runbook.md: ${unlike.join(' | ')}`);
  for (const step of steps) await actions[step]?.();
}

async function stepsOf(heading: string): Promise<string[]> {
  const page = await readFile(new URL('../../../docs/runbook.md', import.meta.url), 'utf8');
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\d+\. \*\*([^*]+)\*\*/gm)].map(([, step = '']) =>
    step.replaceAll(/\s+/g, ' '),
  );
}
