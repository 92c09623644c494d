"""Cortex XSOAR automation: submits machines of an incident to the Defender Investigation Queue.

Arguments: intake (URL), key (API key from the credentials store), machines (list of Defender machine ids), comment,
priority (optional), step (optional: distinguishes repeated steps of one playbook).

Repeating it is safe: the idempotency key is made of the incident, the step and what is asked, so the same task gets the
first answer again, and a task with other machines is a request of its own.
"""

import hashlib
import json
import time

import requests

# XSOAR ends an automation after three minutes by default.
TOTAL_SECONDS = 150
# Answers of the queue, or of a proxy in front of it, that pass by themselves.
PASSING = {408, 425, 429, 500, 502, 503, 504}


def build_body(args, incident):
    defaults = {"comment": args["comment"], "source": "xsoar", "correlation": {"incident": incident}}
    if args.get("priority"):
        defaults["priority"] = args["priority"]
    return {"defaults": defaults, "requests": [{"machineId": machine} for machine in argToList(args["machines"])]}


def idempotency_key(incident, step, body):
    asked = json.dumps([incident, step, body], sort_keys=True)
    return "xsoar-" + hashlib.sha256(asked.encode()).hexdigest()


def seconds_to_wait(answer, attempt):
    """What the answer asks for; without a number in it, longer with each attempt."""
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    return int(asked) if asked.isdigit() else min(2**attempt, 30)


def post(url, body, headers):
    """Repeats what may pass, with the same key, so that nothing is asked twice."""
    end = time.monotonic() + TOTAL_SECONDS
    attempt = 0
    while True:
        try:
            answer, failure = requests.post(url, json=body, headers=headers, timeout=30), None
        except requests.exceptions.RequestException as error:
            answer, failure = None, str(error)
        if answer is not None and answer.status_code not in PASSING:
            return answer
        wait = seconds_to_wait(answer, attempt)
        if time.monotonic() + wait > end:
            reason = failure if answer is None else describe(answer)
            raise RuntimeError(f"No acceptance within {TOTAL_SECONDS} s. Last: {reason}")
        time.sleep(wait)
        attempt += 1


def read_json(answer):
    """The document of an answer; None when it is none of the queue's, such as a proxy's page."""
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def describe(answer):
    problem = read_json(answer)
    if problem is None or "code" not in problem:
        return f"HTTP {answer.status_code}, not from the queue: {answer.text[:200]!r}"
    faults = [f"{fault.get('path', '')} {fault.get('message', '')}".strip() for fault in problem.get("errors", [])]
    return "; ".join([f"{problem['code']}: {problem.get('detail') or problem.get('title')}", *faults[:20]])


def rejected_machines(batch, body):
    return [
        f"{body['requests'][item['index']]['machineId']}: {item['error']['message']}"
        for item in batch["items"]
        if item["status"] == "rejected"
    ]


def main():
    args = demisto.args()
    incident = str(demisto.incident()["id"])
    body = build_body(args, incident)
    headers = {
        "X-API-Key": args["key"],
        "Idempotency-Key": idempotency_key(incident, args.get("step", "1"), body),
    }
    try:
        answer = post(args["intake"].rstrip("/") + "/v1/batches", body, headers)
    except RuntimeError as error:
        return_error(str(error))
        return
    batch = read_json(answer)
    if answer.status_code != 202 or batch is None:
        return_error(describe(answer))
        return
    rejected = rejected_machines(batch, body)
    lines = [f"Batch {batch['id']}: {batch['counts']}", *(f"Rejected: {line}" for line in rejected)]
    return_results(
        CommandResults(
            outputs_prefix="DefenderQueue.Batch",
            outputs_key_field="id",
            outputs={**batch, "rejected": rejected},
            readable_output="\n".join(lines),
        )
    )


if __name__ in ("__main__", "__builtin__", "builtins"):
    main()
