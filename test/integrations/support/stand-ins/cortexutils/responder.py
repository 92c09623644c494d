"""A stand-in for what the responder uses of `cortexutils.responder`: the job's input, its parameters, its report and its error."""

import json
import os
import sys


class Responder:
    def __init__(self, job_directory=None):
        self.job_directory = job_directory or (sys.argv[1] if len(sys.argv) > 1 else "/job")
        path = f"{self.job_directory}/input/input.json"
        if os.path.isfile(path):
            with open(path) as file:
                self._input = json.load(file)
        else:
            self.job_directory = None
            self._input = json.load(sys.stdin)

    def get_param(self, name, default=None, message=None):
        value = self._input
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None and message is not None:
            self.error(message)
        return default if value is None else value

    def build_operation(self, op_type, **parameters):
        return {"type": op_type, **parameters}

    def operations(self, raw):
        return []

    def report(self, full_report):
        self._write({"success": True, "full": full_report, "operations": self.operations(full_report)})

    def error(self, message):
        config = self._input.get("config", {})
        shown = {name: "REMOVED" if name in ("password", "key", "apikey", "api_key") else config[name] for name in config}
        self._write({"success": False, "input": {**self._input, "config": shown}, "errorMessage": message})
        sys.exit(1)

    def _write(self, document):
        if self.job_directory is None:
            json.dump(document, sys.stdout)
            return
        os.makedirs(f"{self.job_directory}/output", exist_ok=True)
        with open(f"{self.job_directory}/output/output.json", "w") as file:
            json.dump(document, file)
