"""`gateway check promises` in a scene: what an operator would see of its promises."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from local.installation import GATEWAY
from local.judge.checks import BrokenPromise

_COLUMNS = ("promise", "examined", "violations")


def check_promises(environ: Mapping[str, str], since: str) -> tuple[str, list[BrokenPromise]]:
    """Return the pass's table and its violations, at most three of each promise."""
    command = [str(GATEWAY), "check", "promises", "--json", "--since", since]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if not done.stdout:
        return "", [BrokenPromise("check promises could not look", done.stderr)]
    shown = json.loads(done.stdout)
    lines = [_COLUMNS, *(tuple(str(row[column]) for column in _COLUMNS) for row in shown["promises"])]
    text = f"check promises --since {since}:\n" + "".join("  {:9} {:>9} {:>10}\n".format(*line) for line in lines)
    text += "".join(f"  not examined: {one['count']} {one['what']}\n" for one in shown["notExamined"])
    return text, [_broken(one) for row in shown["promises"] for one in row["first"]]


def _broken(one: Mapping[str, Any]) -> BrokenPromise:
    return BrokenPromise(f"check promises: {one['rule']}", json.dumps(one))
