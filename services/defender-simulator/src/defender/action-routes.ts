import { actionKinds, type ActionKind } from './action-kinds.ts';
import { createCallRoutes, type Asked, type CallDeps, type MachineCall } from './call-routes.ts';
import type { LoggedCall } from './call-log.ts';
import { errorReply, odataReply } from './defender-reply.ts';
import type { MachineActions } from './machine-actions.ts';
import { createQuota } from './quota.ts';
import type { Reply } from '../reply.ts';
import type { SimulatorSettings } from '../config.ts';

export interface ActionDeps extends CallDeps {
  machineActions: MachineActions;
}

/** The calls that make a machine action. Each has a quota of its own. */
export function createActionRoutes(deps: ActionDeps) {
  const calls = actionKinds.map((kind): MachineCall => ({
    operation: kind.operation,
    role: kind.role,
    fields: kind.fields,
    quotas: quotasOf(kind, deps.settings),
    perform: (asked, call) => make(deps, kind, asked, call),
  }));
  return createCallRoutes(deps, calls);
}

function quotasOf({ limits }: ActionKind, settings: SimulatorSettings) {
  const { actionsPerMinute, actionsPerHour } = settings;
  const rules =
    limits === undefined
      ? [
          { limit: actionsPerMinute, windowMs: 60_000 },
          { limit: actionsPerHour, windowMs: 3_600_000 },
        ]
      : [{ limit: limits(settings).perMinute, windowMs: 60_000 }];
  return rules.map((rule) => ({ ...rule, quota: createQuota({ ...rule, kind: 'rolling' }) }));
}

function make(
  { machineActions, settings }: ActionDeps,
  { type, details, isExclusive, limits }: ActionKind,
  { machine, holder, comment, fields, origin, onRunning = settings.onRunning }: Asked,
  call: LoggedCall,
): Reply {
  const { scope = null, ...others } = details?.(fields) ?? {};
  const mode = isExclusive ? 'refuse' : onRunning;
  const running = mode === 'new' ? undefined : machineActions.running(machine.id, type, others.sha1);
  if (running !== undefined && mode === 'refuse') {
    return errorReply(400, 'ActiveRequestAlreadyExists', 'Action is already in progress');
  }
  if (limits !== undefined && machineActions.openCount(type) >= limits(settings).atOnce) {
    return errorReply(429, '429', 'Too many requests');
  }
  const made =
    running ?? machineActions.make({ machine, type, scope, comment, requestor: holder.clientId, ...others });
  call.actionId = made.id;
  return odataReply(201, `${origin}/api/$metadata#MachineActions/$entity`, made);
}
