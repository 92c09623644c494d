import type { Request } from 'express';
import type { SimulatorSettings } from '../config.ts';
import { requestOrigin, type Reply } from '../reply.ts';
import { errorReply, odataReply } from './defender-reply.ts';
import type { Download, DownloadLinks } from './download-links.ts';
import type { MachineAction, MachineActions } from './machine-actions.ts';
import type { Reading } from './readings.ts';

export interface LinkDeps {
  settings: SimulatorSettings;
  machineActions: MachineActions;
  links: DownloadLinks;
  /** Answers what only an application that may read machines is shown. */
  forReaders(answer: () => Reply): Reply;
}

/** The links to what an action brought, which Defender gives once it is there. */
export function linkReadings({ settings, machineActions, links, forReaders }: LinkDeps): Reading[] {
  const answer = (req: Request, id: string, find: (action: MachineAction) => Download | undefined) =>
    forReaders(() => {
      const action = machineActions.list('visible').find((one) => one.id === id);
      const download = action && find(action);
      if (download === undefined) return errorReply(404, 'ResourceNotFound', 'No result is there');
      const origin = requestOrigin(req);
      const value = origin + links.create(download);
      return odataReply(200, `${origin}/api/$metadata#Edm.String`, { value });
    });
  return [
    {
      name: 'getPackageUri',
      path: '/machineactions/:id/getPackageUri',
      limits: { perMinute: settings.packageLinksPerMinute, perHour: settings.packageLinksPerHour },
      answer: (req, id) => answer(req, id, packageOf),
    },
    {
      name: 'getLiveResponseResult',
      path: '/machineactions/:id/GetLiveResponseResultDownloadLink\\(index=:index\\)',
      answer: (req, id) => answer(req, id, (action) => resultOf(action, String(req.params['index']))),
    },
  ];
}

function packageOf({ id, type, status }: MachineAction): Download | undefined {
  if (type !== 'CollectInvestigationPackage' || status !== 'Succeeded') return undefined;
  return { fileName: `${id}.zip`, contentType: 'application/zip', text: `package of ${id}` };
}

function resultOf({ id, commands }: MachineAction, index: string): Download | undefined {
  const done = /^\d{1,4}$/.test(index) ? commands[Number(index)] : undefined;
  if (done === undefined || done.commandStatus === 'Created') return undefined;
  const output = { exit_code: done.commandStatus === 'Failed' ? 1 : 0, script_output: `${id} ${index}` };
  return {
    fileName: `${id}-${index}.json`,
    contentType: 'application/json',
    text: JSON.stringify(output),
  };
}
