import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Reply } from '../reply.ts';

/** What a link leads to. */
export interface Download {
  fileName: string;
  contentType: string;
  text: string;
}

/** Links that are good for a time, each of them a secret of its own. */
export interface DownloadLinks {
  /** The path of a new link, beginning with a slash. */
  create(download: Download): string;
  /** What the storage behind the link answers: the file, 403 once the link is stale, 404 for one that never was. */
  follow(token: string): Reply;
}

export function createDownloadLinks({ clock, linkMs }: { clock: Clock; linkMs: number }): DownloadLinks {
  const links = new Map<string, Download & { staleFromMs: number }>();
  return {
    create(download) {
      const token = randomUUID();
      links.set(token, { ...download, staleFromMs: clock.monotonicMs() + linkMs });
      return `/downloads/${token}`;
    },
    follow(token) {
      const found = links.get(token);
      if (found === undefined) return refusal(404, 'ResourceNotFound');
      if (clock.monotonicMs() >= found.staleFromMs) return refusal(403, 'AuthenticationFailed');
      return {
        status: 200,
        headers: {
          'Content-Type': found.contentType,
          'Content-Disposition': `attachment; filename="${found.fileName}"`,
        },
        body: found.text,
      };
    },
  };
}

function refusal(status: number, code: string): Reply {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code></Error>`;
  return { status, headers: { 'Content-Type': 'application/xml' }, body };
}
