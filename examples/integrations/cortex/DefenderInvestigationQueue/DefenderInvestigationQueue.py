#!/usr/bin/env python3
"""Defender Investigation Queue for TheHive and Cortex: asks for an investigation of the machine that an observable names.

Flavors set `config.service`: `submit` asks, `status` says where what was asked for the observable stands.
"""

import hashlib
import json
import re

import requests
from cortexutils.responder import Responder
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

TIMEOUT_SECONDS = 30
# Answers of the queue, or of a proxy in front of it, that pass by themselves.
PASSING = [408, 429, 500, 502, 503, 504]
RETRIES = 3


class Refused(Exception):
    """The queue, or what stands in front of it, gave another answer than a success."""


class DefenderInvestigationQueue(Responder):
    def __init__(self):
        super().__init__()
        self.url = self.get_param("config.url", None, "The configuration has no url").rstrip("/")
        self.service = self.get_param("config.service", None, "The flavor has no service")
        key = self.get_param("config.api_key", None, "The configuration has no api_key")
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = key
        retry = Retry(
            total=RETRIES,
            backoff_factor=1,
            status_forcelist=PASSING,
            # Repeats of a POST have its idempotency key.
            allowed_methods=["GET", "POST"],
            raise_on_status=False,
        )
        self.session.mount(self.url, HTTPAdapter(max_retries=retry))
        self.found = None

    def run(self):
        try:
            self.found = self.submit() if self.service == "submit" else self.status()
        except (Refused, requests.exceptions.RequestException) as refusal:
            self.error(str(refusal))
        self.report({"message": describe(self.found), "request": self.found})

    def operations(self, raw):
        return [self.build_operation("AddTagToArtifact", tag=f"DefenderQueue:{self.found['status']}")]

    def submit(self):
        """The request that waits now, or the one of the same observable that was asked for before."""
        case = self.case_number()
        observable = self.get_param("data.data", None, "The observable has no data")
        asked = {
            **machine_of(observable),
            "comment": f"TheHive case {case}: {self.get_param('data.case.title', 'no title')}"[:4000],
            "priority": self.get_param("config.priority", "medium"),
            "source": "thehive",
            "correlation": {"case": case, "observable": self.observable_id()},
        }
        operation = self.get_param("config.operation")
        if operation:
            asked["operation"] = operation
        parameters = self.get_param("config.parameters")
        if parameters:
            asked["parameters"] = json.loads(parameters)
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return self.ask("POST", "/v1/requests", json=asked, headers={"Idempotency-Key": f"thehive-{key}"})

    def status(self):
        """What was asked last for this observable."""
        query = {"correlation.observable": self.observable_id(), "limit": 1}
        operation = self.get_param("config.operation")
        if operation:
            query["operation"] = operation
        found = self.ask("GET", "/v1/requests", params=query)["value"]
        if not found:
            raise Refused("Nothing was asked for this observable, or it ended longer ago than is kept.")
        return found[0]

    def ask(self, method, path, **what):
        answer = self.session.request(method, self.url + path, timeout=TIMEOUT_SECONDS, **what)
        try:
            document = answer.json()
        except ValueError:
            raise Refused(f"HTTP {answer.status_code}, not from the queue: {answer.text[:200]!r}") from None
        if answer.ok:
            return document
        faults = [f"{one.get('path', '')} {one.get('message', '')}".strip() for one in document.get("errors", [])]
        detail = document.get("detail") or document.get("title")
        raise Refused("; ".join([f"{document.get('code', answer.status_code)}: {detail}", *faults[:20]]))

    def case_number(self):
        """TheHive 5 has `number`, TheHive 4 `caseId`."""
        return str(self.get_param("data.case.number") or self.get_param("data.case.caseId", "unknown"))

    def observable_id(self):
        return str(self.get_param("data._id") or self.get_param("data.id", None, "The observable has no id"))


def machine_of(text):
    """The field of an item for an observable: a Defender machine id, an Entra device id, or a DNS name."""
    if re.fullmatch(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}", text):
        return {"machineId": text}
    if re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", text):
        return {"aadDeviceId": text}
    return {"machineName": text}


def describe(found):
    text = f"Request {found['id']} is {found['status']}"
    if found.get("expectedStartAt"):
        return f"{text}, place {found.get('position')}, expected to start at {found['expectedStartAt']}"
    if "result" in found:
        return f"{text}: {found['result']['kind']} {found['result']['id']}, {found['result'].get('outcome', 'not followed')}"
    return f"{text}: {found['error']['message']}" if "error" in found else text


if __name__ == "__main__":
    DefenderInvestigationQueue().run()
