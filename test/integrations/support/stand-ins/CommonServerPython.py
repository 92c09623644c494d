"""A stand-in for the few names of XSOAR's CommonServerPython that the integration uses, with their signatures.

What is handed back to XSOAR is printed as one line of JSON.
"""

import json
import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


class DemistoException(Exception):
    pass


class BaseClient:
    def __init__(self, base_url, verify=True, proxy=False, ok_codes=(), headers=None, auth=None, timeout=60):
        self._base_url, self._verify, self._headers, self._ok_codes = base_url, verify, headers, ok_codes
        self._session = requests.Session()
        self._session.trust_env = proxy

    def _http_request(
        self,
        method,
        url_suffix="",
        headers=None,
        params=None,
        json_data=None,
        timeout=None,
        resp_type="json",
        retries=0,
        status_list_to_retry=None,
        backoff_factor=5,
        error_handler=None,
    ):
        retry = Retry(
            total=retries,
            read=retries,
            connect=retries,
            status=retries,
            backoff_factor=backoff_factor,
            status_forcelist=status_list_to_retry,
            allowed_methods=frozenset(["GET", "POST", "PUT"]),
            raise_on_status=False,
            raise_on_redirect=False,
        )
        self._session.mount(self._base_url, HTTPAdapter(max_retries=retry))
        answer = self._session.request(
            method,
            self._base_url.rstrip("/") + "/" + url_suffix.lstrip("/"),
            verify=self._verify,
            headers=headers or self._headers,
            params=params,
            json=json_data,
            timeout=timeout,
        )
        if not (answer.status_code in self._ok_codes if self._ok_codes else answer.ok):
            error_handler(answer)
        return answer.json()


class CommandResults:
    def __init__(
        self,
        outputs_prefix=None,
        outputs_key_field=None,
        outputs=None,
        readable_output=None,
        raw_response=None,
        scheduled_command=None,
    ):
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})


class ScheduledCommand:
    @staticmethod
    def raise_error_if_not_supported():
        pass

    def __init__(self, command, next_run_in_seconds, args=None, timeout_in_seconds=None):
        self.__dict__.update({name: value for name, value in locals().items() if name != "self"})


def argToList(value, separator=","):
    if not value:
        return []
    return value if isinstance(value, list) else [part.strip() for part in value.split(separator)]


def arg_to_number(value):
    return None if value in (None, "") else int(value)


def tableToMarkdown(name, rows, removeNull=False):
    lines = [", ".join(f"{key}={value}" for key, value in row.items() if value or not removeNull) for row in rows]
    return "\n".join([f"### {name}", *lines])


def return_results(results):
    _say({"results": results if isinstance(results, list) else [results]})


def return_error(message):
    _say({"error": message})
    sys.exit(0)


def _say(said):
    print(json.dumps(said, default=vars))
