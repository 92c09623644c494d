"""Defender Investigation Queue for Cortex XSOAR: submits machines in one batch, waits for it, cancels it.

Submitting again is safe: the idempotency key is made of the investigation, the step and what is asked, so a task that a
playbook repeats gets the batch that it got first.
"""

import demistomock as demisto
from CommonServerPython import *

import hashlib
import json
import re

PREFIX = "DefenderQueue"
# One answer; acceptance of 1,000 machines takes well under 5 s.
TIMEOUT_SECONDS = 30
# Answers of the queue, or of a proxy in front of it, that pass by themselves.
PASSING = [408, 429, 500, 502, 503, 504]
RETRIES = 3
# Of one page, and of what is written to the context. A batch can have 10,000 items.
PAGE_SIZE = 500
MOST_ITEMS = 2_000
# A cancellation goes on where its time was up before all requests were looked at.
MOST_CANCELLATIONS = 20


class Client(BaseClient):
    def __init__(self, params):
        super().__init__(
            base_url=params["url"].rstrip("/"),
            verify=not params.get("insecure", False),
            proxy=params.get("proxy", False),
            headers={"X-API-Key": params["credentials"]["password"]},
        )
        tenant = params.get("tenant")
        # Ids lead to their tenant by themselves; what is new names it, where the key reaches several.
        self.root = f"/v1/tenants/{tenant}" if tenant else "/v1"

    def get(self, path, **query):
        return self.ask("GET", path, params=query)

    def ask(self, method, path, headers=None, **what):
        """Repeats what passes by itself, no sooner than `Retry-After` says."""
        return self._http_request(
            method,
            url_suffix=path,
            headers={**self._headers, **(headers or {})},
            timeout=TIMEOUT_SECONDS,
            retries=RETRIES,
            status_list_to_retry=PASSING,
            backoff_factor=1,
            error_handler=refuse,
            **what,
        )

    def items_of(self, batch_id):
        """The items of a batch in the order in which they were submitted, and whether there are more than are read."""
        page = self.get(f"/v1/batches/{batch_id}/items", limit=PAGE_SIZE)
        found = page["value"]
        while "nextLink" in page and len(found) < MOST_ITEMS:
            page = self.get(page["nextLink"])
            found += page["value"]
        return found, "nextLink" in page


def refuse(answer):
    """Ends the command with what the queue says of the fault, by field; with the answer itself where a proxy gave it."""
    try:
        problem = answer.json()
        code = problem["code"]
    except (ValueError, KeyError, TypeError):
        raise DemistoException(f"HTTP {answer.status_code}, not from the queue: {answer.text[:200]!r}") from None
    faults = [f"{fault.get('path', '')} {fault.get('message', '')}".strip() for fault in problem.get("errors", [])]
    raise DemistoException("; ".join([f"{code}: {problem.get('detail') or problem.get('title')}", *faults[:20]]))


def machine_of(text):
    """The field of an item for what was given: a Defender machine id, an Entra device id, or a DNS name."""
    if re.fullmatch(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}", text):
        return {"machineId": text}
    if re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text):
        return {"aadDeviceId": text}
    return {"machineName": text}


def batch_of(args, incident):
    given = {
        "comment": args["comment"],
        "source": args.get("source") or "xsoar",
        "correlation": {"incident": incident},
        "priority": args.get("priority"),
        "notAfter": args.get("not_after"),
        "parameters": json.loads(args["parameters"]) if args.get("parameters") else None,
    }
    body = {
        "operation": args.get("operation"),
        "defaults": {name: value for name, value in given.items() if value},
        "requests": [machine_of(machine) for machine in argToList(args["machines"])],
    }
    return {name: value for name, value in body.items() if value is not None}


def submit(client, args):
    incident = args.get("incident_id") or str(demisto.investigation()["id"])
    body = batch_of(args, incident)
    asked = json.dumps([incident, args.get("step") or "1", body], sort_keys=True)
    key = "xsoar-" + hashlib.sha256(asked.encode()).hexdigest()
    batch = client.ask("POST", f"{client.root}/batches", json_data=body, headers={"Idempotency-Key": key})
    rejected = [
        {"machine": next(iter(body["requests"][item["index"]].values())), "message": item["error"].get("message")}
        for item in batch["items"]
        if item["status"] == "rejected" and "error" in item
    ]
    outputs = {"id": batch["id"], "status": batch["status"], "accepted": batch["counts"], "rejected": rejected}
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Batch",
        outputs_key_field="id",
        outputs=outputs,
        raw_response=batch,
        readable_output="\n".join(
            [
                f"Batch {batch['id']}: {counts_in(batch['counts'])}",
                *(f"- Rejected: {one['machine']}: {one['message']}" for one in rejected),
            ]
        ),
    )


def counts_in(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count and name != "total") or "nothing"


def batch_result(batch):
    expected = batch.get("expectedCompletionAt") or batch.get("startNotBefore")
    suffix = f"; last start expected at {expected}" if expected else ""
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Batch",
        outputs_key_field="id",
        outputs=batch,
        readable_output=f"Batch {batch['id']} is {batch['status']}: {counts_in(batch['counts'])}{suffix}",
    )


def items_result(client, batch_id):
    found, has_more = client.items_of(batch_id)
    title = f"Items of batch {batch_id}" + (f" (the first {len(found)})" if has_more else "")
    rows = [
        {
            "machine": one.get("machineName") or one.get("machineId") or one.get("aadDeviceId"),
            "status": one["status"],
            "investigation": one.get("investigationId"),
            "error": one.get("error", {}).get("message"),
        }
        for one in found
    ]
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Request",
        outputs_key_field="id",
        outputs=[one for one in found if "id" in one],
        readable_output=tableToMarkdown(title, rows, removeNull=True),
    )


def get_batch(client, args):
    return batch_result(client.get(f"/v1/batches/{args['batch_id']}"))


def get_request(client, args):
    found = client.get(f"/v1/requests/{args['request_id']}")
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Request",
        outputs_key_field="id",
        outputs=found,
        readable_output=f"Request {found['id']} is {found['status']}",
    )


def wait_for_batch(client, args):
    """Ends when the batch has come to the end that was asked for; until then XSOAR calls it again."""
    ScheduledCommand.raise_error_if_not_supported()
    batch = client.get(f"/v1/batches/{args['batch_id']}")
    until = args.get("until") or "completed"
    if batch.get("endedAt" if until == "ended" else "completedAt"):
        return [batch_result(batch), items_result(client, batch["id"])]
    result = batch_result(batch)
    result.scheduled_command = ScheduledCommand(
        command="diq-batch-wait",
        next_run_in_seconds=arg_to_number(args.get("interval_in_seconds")) or 300,
        args={**args, "batch_id": batch["id"], "until": until},
        timeout_in_seconds=arg_to_number(args.get("timeout_in_seconds")) or 604_800,
    )
    return result


def cancel_batch(client, args):
    """Cancels what is queued; calls that were made stay."""
    cancelled = 0
    for _ in range(MOST_CANCELLATIONS):
        answer = client.ask("DELETE", f"/v1/batches/{args['batch_id']}", params=reason_in(args))
        cancelled += answer["cancelled"]
        if not answer["remaining"]:
            break
    outputs = {"id": answer["id"], "cancelled": cancelled, "alreadyDispatched": answer["alreadyDispatched"]}
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Cancelled",
        outputs_key_field="id",
        outputs=outputs,
        readable_output=f"{cancelled} cancelled, {answer['alreadyDispatched']} called already",
    )


def cancel_request(client, args):
    found = client.ask("DELETE", f"/v1/requests/{args['request_id']}", params=reason_in(args))
    return CommandResults(
        outputs_prefix=f"{PREFIX}.Request",
        outputs_key_field="id",
        outputs=found,
        readable_output=f"Request {found['id']} is {found['status']}",
    )


def reason_in(args):
    return {"reason": args["reason"]} if args.get("reason") else {}


def test_module(client):
    """The key works, and may ask for what requests ask for that name no operation."""
    operations = client.get(f"{client.root}/operations")["value"]
    if not operations[0]["isAllowed"]:
        return f"The key lacks the scope {operations[0]['scope']} for {operations[0]['name']}."
    return "ok"


COMMANDS = {
    "diq-batch-submit": submit,
    "diq-batch-get": get_batch,
    "diq-batch-wait": wait_for_batch,
    "diq-batch-cancel": cancel_batch,
    "diq-request-get": get_request,
    "diq-request-cancel": cancel_request,
}


def main():
    try:
        client = Client(demisto.params())
        command = demisto.command()
        if command == "test-module":
            return_results(test_module(client))
        elif command in COMMANDS:
            return_results(COMMANDS[command](client, demisto.args()))
        else:
            raise NotImplementedError(f"There is no command {command}.")
    except Exception as error:
        return_error(f"{demisto.command()}: {error}")


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
