"""Runs an XSOAR automation outside of XSOAR: gives it the host's functions and prints what it hands back as JSON.

usage: xsoar-host.py AUTOMATION < {"args": {…}, "incident": {…}}
"""

import builtins
import json
import runpy
import sys

given = json.load(sys.stdin)
said = {"results": [], "errors": []}


class Demisto:
    def args(self):
        return given["args"]

    def incident(self):
        return given["incident"]


builtins.demisto = Demisto()
builtins.argToList = lambda value: value if isinstance(value, list) else [part.strip() for part in value.split(",")]
builtins.CommandResults = dict
builtins.return_results = said["results"].append
builtins.return_error = said["errors"].append

runpy.run_path(sys.argv[1], run_name="__main__")
json.dump(said, sys.stdout)
