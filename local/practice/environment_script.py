"""The script `env.sh` of `gateway dev`: after reading it, every verb of an operator works in that shell. Pure.

It has the caller's key, so only its owner may read the file.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

KEPT = ("GATEWAY_", "COLLATE_GATEWAY_")


def script(
    settings: Mapping[str, str],
    *,
    url: str,
    key: str,
    admin_urls: Mapping[str, str],
    pids: Mapping[str, int],
    bin_path: Path,
) -> str:
    """Return the script. `admin_urls` and `pids` are those of the processes, by name."""
    variables = {name: value for name, value in sorted(settings.items()) if name.startswith(KEPT)}
    variables |= {
        "GATEWAY_INGRESS__PORT": url.rpartition(":")[2],
        # `gateway worker resume` asks this port of this machine.
        "GATEWAY_ADMIN__PORT": admin_urls["worker"].rpartition(":")[2],
        "COLLATE_GATEWAY_URL": url,
        "COLLATE_GATEWAY_KEY": key,
        "COLLATE_GATEWAY_OPERATOR": "practice",
        "COLLATE_GATEWAY_ADMIN": " ".join(admin_urls.values()),
    }
    variables |= {f"{name.upper()}_PID": str(pid) for name, pid in pids.items()}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join(
        (
            "# Made by `gateway dev`; it has a key. In each shell: . env.sh",
            *lines,
            f'export PATH={shlex.quote(str(bin_path))}:"$PATH"',
            "",
        )
    )
