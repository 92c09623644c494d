import { createCallRoutes, type Asked, type CallDeps, type MachineCall } from './call-routes.ts';
import type { LoggedCall } from './call-log.ts';
import { errorReply, odataReply } from './defender-reply.ts';
import type { MachineActions } from './machine-actions.ts';
import { createQuota } from './quota.ts';
import type { Reply } from '../reply.ts';

export interface ActionDeps extends CallDeps {
  machineActions: MachineActions;
}

/** What differs between the machine actions, as documented. */
interface ActionKind {
  /** Behind `/machines/{id}/`. */
  operation: string;
  /** As the action itself is shown. */
  type: string;
  role: string;
  /** Keys of the body beside `Comment`; the value of the first one is the action's scope. */
  fields: Readonly<Record<string, readonly string[]>>;
}

const kinds: readonly ActionKind[] = [
  {
    operation: 'runAntiVirusScan',
    type: 'RunAntiVirusScan',
    role: 'Machine.Scan',
    fields: { ScanType: ['Quick', 'Full'] },
  },
  {
    operation: 'restrictCodeExecution',
    type: 'RestrictCodeExecution',
    role: 'Machine.RestrictExecution',
    fields: {},
  },
  {
    operation: 'unrestrictCodeExecution',
    type: 'UnrestrictCodeExecution',
    role: 'Machine.RestrictExecution',
    fields: {},
  },
];

/** The calls that make a machine action. Each has a quota of its own per minute and per hour. */
export function createActionRoutes(deps: ActionDeps) {
  const { actionsPerMinute, actionsPerHour } = deps.settings;
  const calls = kinds.map((kind): MachineCall => {
    const rules = [
      { limit: actionsPerMinute, windowMs: 60_000 },
      { limit: actionsPerHour, windowMs: 3_600_000 },
    ];
    return {
      ...kind,
      quotas: rules.map((rule) => ({ ...rule, quota: createQuota({ ...rule, kind: 'rolling' }) })),
      perform: (asked, call) => make(deps, kind, asked, call),
    };
  });
  return createCallRoutes(deps, calls);
}

function make(
  { machineActions, settings }: ActionDeps,
  { type }: ActionKind,
  { machine, holder, comment, fields, origin }: Asked,
  call: LoggedCall,
): Reply {
  const running = settings.onRunning === 'new' ? undefined : machineActions.running(machine.id, type);
  if (running !== undefined && settings.onRunning === 'refuse') {
    return errorReply(400, 'ActiveRequestAlreadyExists', 'Action is already in progress');
  }
  const [scope = null] = Object.values(fields);
  const made = running ?? machineActions.make({ machine, type, scope, comment, requestor: holder.clientId });
  call.actionId = made.id;
  return odataReply(201, `${origin}/api/$metadata#MachineActions/$entity`, made);
}
