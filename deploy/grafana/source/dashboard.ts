import { DashboardBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { addRow, figures, list, pictures } from './bands.ts';
import { callPanels, holdPanels } from './call-panels.ts';
import { queueVariables } from './queue-filter.ts';
import { queueTable } from './queue-table.ts';
import { DashboardCursorSync } from './panels.ts';
import { callbackPanels, processPanels } from './process-panels.ts';
import { quotaPanels, wastePanels } from './quota-panels.ts';
import { doorPanels, resultPanels, waitingFigures, waitingPanels } from './waiting-panels.ts';

/** The dashboard, in the order in which a request travels. Written to ../dashboards by generate.ts. */
export function createDashboard() {
  const dashboard = new DashboardBuilder('Investigation queue')
    .uid('diq-queue')
    .description('What waits, what is called, what went wrong')
    .tags(['defender', 'diq'])
    .timezone('utc')
    .refresh('30s')
    .time({ from: 'now-24h', to: 'now' })
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly();
  for (const variable of queueVariables()) dashboard.withVariable(variable);

  const waiting = waitingPanels();
  const door = doorPanels();
  addRow(
    dashboard,
    'What waits, and for how long',
    figures(...waitingFigures()),
    pictures(waiting.byStatus, waiting.byPriority),
    pictures(waiting.oldestAndDrain, waiting.untilCall),
    pictures(door.outcomes, door.ended, door.refused),
  );
  addRow(dashboard, 'Queues', list(queueTable()));
  const quota = quotaPanels();
  addRow(
    dashboard,
    'Quota',
    figures(quota.inUse, quota.nextSlot),
    pictures(quota.usedAndLimit, quota.byOutcome),
  );
  const calls = callPanels();
  addRow(
    dashboard,
    'Calls to Defender',
    pictures(calls.outcomes, calls.duration),
    pictures(calls.lostAnswers, calls.tokens),
  );
  const results = resultPanels();
  addRow(dashboard, 'Results', pictures(results.open, results.ended, results.saved));
  addRow(dashboard, 'Throttling and holds', pictures(...holdPanels()));
  addRow(dashboard, 'Slots wasted', pictures(...wastePanels()));
  addRow(dashboard, 'Callbacks', pictures(...callbackPanels()));
  const { answering, ageOfReading, http, memory, eventLoop } = processPanels();
  addRow(dashboard, 'Processes', pictures(answering, ageOfReading), pictures(http, memory, eventLoop));
  return dashboard.build();
}
