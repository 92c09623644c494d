import type { Request } from 'express';
import type { SimulatorSettings } from '../config.ts';
import { errorReply, missingRole, odataReply } from './defender-reply.ts';
import type { Investigations } from './investigations.ts';
import type { DownloadLinks } from './download-links.ts';
import { linkReadings } from './link-readings.ts';
import type { MachineActions } from './machine-actions.ts';
import type { Machines } from './machines.ts';
import { textsIn, type FieldKind, type Row } from './odata-filter.ts';
import { readPage } from './odata-page.ts';
import { requestOrigin, type Reply } from '../reply.ts';

export interface ReadingDeps {
  settings: SimulatorSettings;
  machines: Machines;
  investigations: Investigations;
  machineActions: MachineActions;
  links: DownloadLinks;
}

/** One documented GET. `id` is the `:id` of the path, empty without one. */
export interface Reading {
  name: string;
  path: string;
  /** Where they are not those of the settings for all reads. */
  limits?: { perMinute: number; perHour: number };
  answer(req: Request, id: string): Reply;
}

const investigationFields: Record<string, FieldKind> = {
  id: 'text',
  state: 'text',
  machineId: 'text',
  triggeringAlertId: 'text',
  startTime: 'time',
};

const alertFields: Record<string, FieldKind> = {
  id: 'text',
  detectionSource: 'text',
  assignedTo: 'text',
  status: 'text',
  severity: 'text',
  category: 'text',
  alertCreationTime: 'time',
  lastUpdateTime: 'time',
  lastEventTime: 'time',
};

const machineFields: Record<string, FieldKind> = {
  computerDnsName: 'text',
  id: 'text',
  version: 'text',
  deviceValue: 'text',
  aadDeviceId: 'text',
  lastSeen: 'time',
  exposureLevel: 'text',
  onboardingStatus: 'text',
  lastIpAddress: 'text',
  healthStatus: 'text',
  osPlatform: 'text',
  riskScore: 'text',
  rbacGroupId: 'number',
};

const actionFields: Record<string, FieldKind> = {
  id: 'text',
  status: 'text',
  machineId: 'text',
  type: 'text',
  requestor: 'text',
  creationDateTimeUtc: 'time',
};

/** What can be read of investigations, alerts, machines and machine actions. */
export function createReadings(deps: ReadingDeps): Reading[] {
  return [
    ...investigationReadings(deps),
    ...alertReadings(deps),
    ...machineReadings(deps),
    ...actionReadings(deps),
  ];
}

function investigationReadings({ settings, investigations }: ReadingDeps): Reading[] {
  return [
    {
      name: 'listInvestigations',
      path: '/investigations',
      answer(req) {
        const rows = investigations.list('visible').map((investigation) => ({ ...investigation }));
        return listReply(req, 'Investigations', rows, investigationFields, settings.pageSize);
      },
    },
    {
      name: 'getInvestigation',
      path: '/investigations/:id',
      answer(req, id) {
        const found = investigations
          .list('visible')
          .find((investigation) => investigation.id === id || investigation.triggeringAlertId === id);
        return entityReply(req, 'Investigations', found, `Investigation ${id} was not found`);
      },
    },
  ];
}

/** What only an application that may read machines is shown. */
function forReaders({ roles }: SimulatorSettings, answer: () => Reply): Reply {
  return roles.includes('Machine.Read.All') || roles.includes('Machine.ReadWrite.All')
    ? answer()
    : missingRole('Machine.Read.All, Machine.ReadWrite.All', roles);
}

function actionReadings({ settings, machineActions, links }: ReadingDeps): Reading[] {
  return [
    {
      name: 'listMachineActions',
      path: '/machineactions',
      answer: (req) =>
        forReaders(settings, () => {
          const rows = machineActions.list('visible');
          return listReply(req, 'MachineActions', rows, actionFields, settings.pageSize);
        }),
    },
    {
      name: 'getMachineAction',
      path: '/machineactions/:id',
      answer: (req, id) =>
        forReaders(settings, () => {
          const found = machineActions.list('visible').find((action) => action.id === id);
          return entityReply(req, 'MachineActions', found, `Machine action ${id} was not found`);
        }),
    },
    ...linkReadings({
      machineActions,
      links,
      settings,
      forReaders: (answer) => forReaders(settings, answer),
    }),
  ];
}

function alertReadings({ settings, investigations }: ReadingDeps): Reading[] {
  return [
    {
      name: 'listAlerts',
      path: '/alerts',
      answer: (req) => listReply(req, 'Alerts', investigations.alerts(), alertFields, settings.pageSize),
    },
    {
      name: 'getAlert',
      path: '/alerts/:id',
      answer(req, id) {
        const found = investigations.alerts().find((alert) => alert.id === id);
        return entityReply(req, 'Alerts', found, `Alert ${id} was not found`);
      },
    },
  ];
}

function machineReadings({ settings, machines, investigations }: ReadingDeps): Reading[] {
  return [
    {
      name: 'listMachines',
      path: '/machines',
      answer: (req) =>
        forReaders(settings, () => {
          const filter = req.query['$filter'];
          const rows = machines.list(typeof filter === 'string' ? textsIn(filter) : []);
          if (rows.length === 0) return errorReply(404, 'ResourceNotFound', 'No machine was seen lately');
          return listReply(req, 'Machines', rows, machineFields, settings.pageSize);
        }),
    },
    {
      name: 'getMachine',
      path: '/machines/:id',
      answer: (req, id) =>
        forReaders(settings, () =>
          entityReply(req, 'Machines', machines.findByIdOrName(id), `Machine ${id} was not found`),
        ),
    },
    {
      name: 'listMachineAlerts',
      path: '/machines/:id/alerts',
      answer(req, id) {
        const machine = machines.findByIdOrName(id);
        if (machine === undefined)
          return entityReply(req, 'Machines', undefined, `Machine ${id} was not found`);
        const alerts = investigations.alerts().filter((alert) => alert.machineId === machine.id);
        return listReply(req, 'Alerts', alerts, alertFields, settings.pageSize);
      },
    },
  ];
}

function listReply(
  req: Request,
  set: string,
  rows: readonly Row[],
  fields: Record<string, FieldKind>,
  pageSize: number,
): Reply {
  const address = `${requestOrigin(req)}${req.baseUrl}${req.path}`;
  const page = readPage(rows, req.query, { fields, pageSize, address });
  if (page.kind === 'invalid') return errorReply(400, 'ODataError', page.message);
  return odataReply(200, `${requestOrigin(req)}/api/$metadata#${set}`, page.members);
}

function entityReply(req: Request, set: string, found: object | undefined, missing: string): Reply {
  if (found === undefined) return errorReply(404, 'ResourceNotFound', missing);
  return odataReply(200, `${requestOrigin(req)}/api/$metadata#${set}/$entity`, found);
}
