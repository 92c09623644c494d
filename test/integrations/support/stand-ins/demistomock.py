"""A stand-in for XSOAR's `demistomock`: what an integration asks its host for, out of the JSON on standard input."""

import json
import sys

_given = json.load(sys.stdin)


def command():
    return _given["command"]


def args():
    return _given.get("args", {})


def params():
    return _given["params"]


def investigation():
    return {"id": _given.get("investigation", "4711")}
