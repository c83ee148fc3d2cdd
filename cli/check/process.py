"""`gateway check` of a process that runs on this machine: its own admin port says whether it is ready, and why not.

The other checks make connections of their own. A process can be unable to work although a new connection succeeds.
"""

from cli.check.check_results import CheckResult, failed, ok, skipped
from cli.top.processes import read_process
from runtime.exits import Exit
from runtime.settings import AdminSettings

_EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound


def admin_url(admin: AdminSettings) -> str:
    """Return the address of the admin port on this machine."""
    host = "127.0.0.1" if admin.host in _EVERY_ADDRESS else admin.host
    return f"http://[{host}]:{admin.port}" if ":" in host else f"http://{host}:{admin.port}"


def check_process(admin: AdminSettings, name: str) -> CheckResult:
    """Read the admin port of the settings."""
    url = admin_url(admin)
    found = read_process(url)
    if "problem" in found:
        return skipped("process", f"no process answers at {url}: {found['problem']}")
    if found["process"] != name:
        return skipped("process", f"{url} belongs to {found['process'] or 'another program'}, not to {name}")
    if not found["ready"]:
        return failed("process", f"{name} is {found['summary']}", Exit.UNAVAILABLE)
    return ok("process", f"{name} at {url} is ready")
