"""The script `env.sh` of `make dev`: after reading it, every verb of an operator works in that shell. Pure.

It has the caller's key, so only its owner may read the file.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_READ: Final = (
    "This shell now has the API's address, a key and `gateway`. `restart_help`: how to start a process again."
)
KEPT = ("GATEWAY_", "COLLATE_GATEWAY_")


def script(
    settings: Mapping[str, str],
    *,
    url: str,
    key: str,
    authorization: str,
    admin_urls: Mapping[str, str],
    pids: Mapping[str, int],
    start_lines: Mapping[str, str],
    bin_path: Path,
) -> str:
    """Return the script. `admin_urls`, `pids` and `start_lines` are those of the processes, by name.

    The programs of the documents act on `authorization`. The script exports no port of the processes, so that another
    process can start in the shell. Its function `restart_help` prints how to start each again.
    """
    variables = {name: value for name, value in sorted(settings.items()) if name.startswith(KEPT)}
    variables |= {
        "COLLATE_GATEWAY_URL": url,
        "COLLATE_GATEWAY_KEY": key,
        "AUTHORIZATION": authorization,
        "COLLATE_GATEWAY_OPERATOR": "practice",
        "COLLATE_GATEWAY_ADMIN": " ".join(f"{name}={url}" for name, url in admin_urls.items()),
    }
    variables |= {f"{name.upper()}_PID": str(pid) for name, pid in pids.items()}
    variables |= {f"{name.upper()}_ADMIN": url for name, url in admin_urls.items()}
    again = [
        "To start a process again after its end:",
        *(f"  {line}" for line in start_lines.values()),
        "Kafka and PostgreSQL: press Enter in the terminal of `make dev`. To resume a partition:",
        '  gateway worker resume --admin "$WORKER_ADMIN" --why "…"',
    ]
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join(
        (
            "# Made by `make dev`; it has a key. In each shell: . env.sh",
            *lines,
            f'export PATH={shlex.quote(str(bin_path))}:"$PATH"',
            f"restart_help() {{ printf '%s\\n' {' '.join(map(shlex.quote, again))}; }}",
            f"echo {shlex.quote(_READ)} >&2",
            "",
        )
    )
