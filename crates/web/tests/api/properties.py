"""What schemathesis is told of this API beside its document: who asks, which numbers name something, and what an
answer must never hold. `properties.rs` starts it and says the rest in the environment."""

import atexit
import json
import os
import time

import requests
import schemathesis

BASE = os.environ["SHARPEYES_URL"]
NAME = os.environ.get("SHARPEYES_NAME", "")
PASSWORD = os.environ.get("SHARPEYES_PASSWORD", "")
# What belongs to another's part of the county: words, and numbers by what they number.
FOREIGN = json.loads(os.environ.get("SHARPEYES_FOREIGN", "{}"))
# What may be named in a path: users whose accounts may be changed, snapshots that exist.
USERS = json.loads(os.environ["SHARPEYES_USERS"])
SNAPSHOTS = json.loads(os.environ["SHARPEYES_SNAPSHOTS"])
SECRETS = ["camera-secret-42", "$argon2"]
COOKIE = "sharpeyes_session"
MINUTE = 60_000

# Which statuses each operation answered with, for whoever started us.
met = {}


def sign_in():
    answer = requests.post(BASE + "/api/v1/session", json={"name": NAME, "password": PASSWORD}, timeout=60)
    answer.raise_for_status()
    return answer.cookies[COOKIE]


def own_id(session):
    listed = requests.get(BASE + "/api/v1/sessions", cookies={COOKIE: session}, timeout=60).json()
    return next(one["id"] for one in listed["items"] if one["current"])


SESSION = sign_in() if NAME else None
SESSION_ID = own_id(SESSION) if SESSION else None


def soon(minutes=60):
    return int(time.time() * 1000) + minutes * MINUTE


def mailing(n):
    return {
        "name": f"mailing {n}",
        "enabled": True,
        "every": "week",
        "weekday": 1,
        "day": 1,
        "minute": 480,
        "group": "site",
        "town": 1,
        "site": None,
        "contractor": None,
        "channel": 2,
        "to": [],
        "language": "en",
    }


# Requests that make sense, of operations that chance alone would hardly please: by what they are asked with.
SENSIBLE = {
    "PUT /api/v1/cameras/{id}/picture/classes": lambda n: {
        "classes": [{"cause": "picture_noise", "on": False, "limit": None}],
        "reason": "r",
    },
    "POST /api/v1/cameras/{id}/picture/confirm": lambda n: {"cause": "same_picture"},
    "POST /api/v1/cameras/{id}/picture/false-alarm": lambda n: {
        "cause": "same_picture",
        "reason": "r",
        "until": soon(),
    },
    "POST /api/v1/demo/fault": lambda n: {"target": {"kind": "camera", "id": 1 + n % 3}, "fault": "power_off", "on": True},
    "POST /api/v1/exports": lambda n: {"camera": 1, "from": soon(-1440), "until": soon(), "reason": "r", "document": "d"},
    "POST /api/v1/holds/{id}/release": lambda n: {"reason": "r"},
    "POST /api/v1/holds": lambda n: {
        "kind": "audit",
        "camera": 1,
        "from": soon(-1440),
        "until": soon(),
        "reason": "r",
        "document": "d",
    },
    "POST /api/v1/mailings": lambda n: mailing(n),
    "PUT /api/v1/mailings/{id}": lambda n: mailing(n),
    "POST /api/v1/orders": lambda n: {"incident": 4, "note": "n", "to_be_confirmed": False},
    "POST /api/v1/orders/{id}/act": lambda n: {"act": "note", "version": 1, "note": "n"},
    "POST /api/v1/register/cameras": lambda n: {"cameras": [1 + n % 5], "cells": {"address": f"a{n}"}, "dry_run": False},
    "PUT /api/v1/register/uplinks/{id}": lambda n: {"name": f"uplink {n}", "olt": None, "budget_kbps": 2000},
    "POST /api/v1/tokens": lambda n: {"name": f"token {n}", "role": "auditor", "expires": soon()},
    "POST /api/v1/users": lambda n: {"name": f"user{n}", "role": "operator"},
    "POST /api/v1/windows": lambda n: {
        "scope": {"kind": "camera", "id": 1 + n % 3},
        "from": soon(1),
        "until": soon(),
        "reason": "r",
        "excused": True,
    },
}
# What they are about, where it matters.
PLACE = {
    "POST /api/v1/orders/{id}/act": 2,
    "PUT /api/v1/mailings/{id}": 1,
    "PUT /api/v1/register/uplinks/{id}": 1,
    "POST /api/v1/holds/{id}/release": 1,
}
# Every third request of those is one that makes sense.
asked = {}


@atexit.register
def report():
    with open(os.environ["SHARPEYES_MET"], "w") as file:
        json.dump({label: sorted(statuses) for label, statuses in met.items()}, file)


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def known(key, value):
    """A number that names something, or an instant that may be meant, in place of any number."""
    if not is_number(value):
        return value
    if key in ("until", "expires", "due"):
        return soon(1 + value % 2000)
    if key in ("from", "at"):
        return soon(-1 - value % 2000)
    if key == "technician":
        return USERS[value % len(USERS)]
    if key in ("id", "camera", "site", "town", "uplink", "incident", "channel", "parent", "picture", "version"):
        return 1 + value % 6
    if key in ("cameras", "sites", "towns", "uplinks"):
        return 1 + value % 5
    return value


def settle(value, key=""):
    if isinstance(value, dict):
        return {name: settle(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [settle(inner, key) for inner in value]
    return known(key, value)


def is_valid(case, location):
    """Nothing was made wrong on purpose there."""
    return not case.meta or case.meta.generation.mode.is_positive or location not in {
        container.value for container in case.meta.components if case.meta.components[container].mode.is_negative
    }


@schemathesis.hook
def before_call(context, case, kwargs):
    path = case.operation.path
    if case.path_parameters and is_valid(case, "path"):
        for name, value in list(case.path_parameters.items()):
            if path.startswith("/api/v1/users/") and is_number(value):
                case.path_parameters[name] = USERS[value % len(USERS)]
            elif path == "/api/v1/sessions/{id}":
                # Whoever ends sessions must not end the one of all the others.
                case.path_parameters[name] = "0" * 16 if value == SESSION_ID else value
            elif path.startswith("/api/v1/snapshots/") and isinstance(value, str) and len(value) % 2 == 0:
                case.path_parameters[name] = SNAPSHOTS[len(value) // 2 % len(SNAPSHOTS)]
            else:
                case.path_parameters[name] = known(name, value)
    if case.query and is_valid(case, "query"):
        case.query = {name: known(name, value) for name, value in case.query.items()}
        if path.startswith("/api/v1/reports") and len(case.query) % 2 == 0:
            kept = {name: case.query[name] for name in ("format", "language", "group") if name in case.query}
            case.query = {"format": "csv", **kept, "period": "day", "date": "2026-01-05"}
    if isinstance(case.body, (dict, list)) and case.meta and case.meta.generation.mode.is_positive:
        case.body = settle(case.body)
        label = case.operation.label
        n = asked[label] = asked.get(label, 0) + 1
        if label in SENSIBLE and n % 3 == 0:
            case.body = SENSIBLE[label](n)
            if label in PLACE:
                case.path_parameters["id"] = PLACE[label]
            if case.headers:
                case.headers = {name: value for name, value in case.headers.items() if name.lower() != "if-match"}
    if SESSION:
        # Whoever signs out must not do so with the session of all the others.
        ends = case.operation.label == "DELETE /api/v1/session"
        case.headers = {**(case.headers or {}), "Cookie": f"{COOKIE}={sign_in() if ends else SESSION}"}


@schemathesis.hook
def after_call(context, case, response):
    met.setdefault(case.operation.label, set()).add(response.status_code)


@schemathesis.check
def errors_are_problems(ctx, response, case):
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    kind = (response.headers.get("content-type") or [""])[0]
    assert kind == "application/problem+json", f"{response.status_code} came as {kind!r}"
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code and problem["code"] and problem["detail"], problem


@schemathesis.check
def only_who_signed_in_is_answered(ctx, response, case):
    if SESSION:
        assert response.status_code != 401 or case.operation.label == "POST /api/v1/session", "the session is lost"
    else:
        inside = response.status_code < 300 and case.operation.label != "POST /api/v1/session"
        assert not inside or response.request.method == "OPTIONS", "answered without a session"


def foreign(value, key=""):
    """Numbers of things that are not in the caller's part of the county, wherever they are told."""
    if isinstance(value, dict):
        if value.get("kind") in FOREIGN["numbers"] and value.get("id") in FOREIGN["numbers"][value["kind"]]:
            yield f"{value['kind']} {value['id']}"
        for name, inner in value.items():
            yield from foreign(inner, name)
    elif isinstance(value, list):
        for inner in value:
            one = key.removesuffix("s")
            if isinstance(inner, dict) and inner.get("id") in FOREIGN["numbers"].get(one, ()) and key != one:
                yield f"{one} {inner['id']}"
            yield from foreign(inner, one)
    elif is_number(value) and value in FOREIGN["numbers"].get("camera" if key == "twin" else key, ()):
        yield f"{key} {value}"


@schemathesis.check
def nothing_of_others_is_told(ctx, response, case):
    text = response.content.decode("utf-8", "replace")
    for secret in SECRETS:
        assert secret not in text, f"a secret is told: {secret}"
    if not FOREIGN or case.operation.label == "GET /api/v1/openapi.json":
        return
    body = response.request.body or b""
    asked = response.request.url + (body if isinstance(body, str) else body.decode("utf-8", "replace"))
    for word in FOREIGN["words"]:
        assert word not in text or word in asked, f"{word} is of another part of the county"
    kind = (response.headers.get("content-type") or [""])[0]
    lines = [text] if kind == "application/json" else text.splitlines() if kind == "application/x-ndjson" else []
    told = [found for line in lines if line for found in foreign(json.loads(line))]
    assert not told, f"of another part of the county: {told[:5]}"
