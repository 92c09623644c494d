import type { Worker } from 'bullmq';

/**
 * BullMQ parses a job's data while it claims it. Where that is no JSON it throws, when the job is claimed already
 * and no worker knows its id: it would come back after its lock for ever and never be processed.
 */
export function claimCorruptJobs(worker: Worker): void {
  const original = worker['createJob'].bind(worker);
  worker['createJob'] = (raw, id) => original({ ...raw, data: isJson(raw.data) ? raw.data : 'null' }, id);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
