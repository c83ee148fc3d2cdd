"""`make newcomer`: the README's command lines on a bare Debian, by a user who is not root. Run it as root on Debian.

The Debian is what debootstrap makes, with the packages that README names and no other. The user has an empty home and a
clone of this commit. Only the settings of this machine for its network come along: certificates, name servers, pip.conf
and .npmrc. Each line's seconds and the disk that it took are printed; the first line that fails ends the run.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from local.failures import StartFailed, exit_code
from local.image.base_image import SUITE
from local.image.requirements import require
from tests.contract.documents.pages import LINES, ROOT

PACKAGES: Final = ("make", "python3", "python3-venv", "curl", "git")  # README, "What it needs"
USER: Final = "newcomer"
HOME: Final = f"/home/{USER}"
_DOWNLOADS: Final = Path.home() / ".cache" / "collate-gateway" / "debian"
_NETWORK: Final = ("/etc/ssl/certs/ca-certificates.crt", "/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf")
_NETWORK_VARIABLES: Final = re.compile(
    r"(?i).*_proxy|PIP_.*|SSL_CERT_FILE|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS"
)
_READY: Final = re.compile(r"^\s*\. (\S+/env\.sh)", re.MULTILINE)
_START_SECONDS: Final = 600.0
_FIRST_REQUEST_SECONDS: Final = 60.0

console = Console(width=120)


class BareDebian:
    """A root directory with one user, in which lines run with their own processes and mounts."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self) -> None:
        """Install Debian, add the user and clone this commit."""
        _DOWNLOADS.mkdir(parents=True, exist_ok=True)
        options = ("--variant=minbase", f"--include={','.join(PACKAGES)}", f"--cache-dir={_DOWNLOADS}")
        _run("debootstrap", *options, SUITE, str(self.root))
        _run("chroot", str(self.root), "useradd", "--create-home", "--shell", "/bin/bash", USER)
        for path in map(Path, _NETWORK):
            if path.exists():
                target = self.root / path.relative_to("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        if (npmrc := Path.home() / ".npmrc").exists():
            shutil.copy(npmrc, self.root / HOME[1:])
        if wheels := os.environ.get("PIP_FIND_LINKS"):
            shutil.copytree(wheels, self.root / wheels[1:])
        _run("git", "clone", "--quiet", str(ROOT), str(self.root / HOME[1:] / "gateway"))
        _run("chroot", str(self.root), "chown", "--recursive", USER, HOME)

    def start(self, line: str, output: Path) -> subprocess.Popen[bytes]:
        """Start a line in the clone, in a namespace of processes of its own; its end ends all of them."""
        mounts = "mount -t proc proc $0/proc; mount -t tmpfs tmpfs $0/dev/shm; mount --bind /dev/null $0/dev/null"
        enter = f'exec chroot --userspec={USER} "$0" /usr/bin/env -i "${{@:2}}" /bin/bash -c "cd {HOME}/gateway; $1"'
        network = [f"{name}={value}" for name, value in os.environ.items() if _NETWORK_VARIABLES.fullmatch(name)]
        own = [f"HOME={HOME}", f"USER={USER}", "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", *network]
        script = f"mkdir -p $0/dev/shm; {mounts}; {enter}"
        command = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
            "-ec",
            script,
            self.root,
            line,
            *own,
        ]
        with output.open("wb") as opened:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=opened, stderr=subprocess.STDOUT)

    def megabytes(self) -> float:
        """Return the disk that everything takes."""
        return int(_run("du", "--summarize", "--bytes", str(self.root)).split()[0]) / 1e6


def follow(debian: BareDebian, with_tests: bool) -> Table:  # noqa: FBT001 - the one option
    """Run README's lines in their order; return the times and sizes. Raises StartFailed with the end of the output."""
    table = Table("line", "s", "disk MB", title="README on a bare Debian")
    lines = [line.text for line in LINES if line.page == "README.md"]
    request = next(line for line in lines if line.startswith("curl"))
    for line in (line for line in lines if line.startswith("make")):
        if line == "make test" and not with_tests:
            continue
        console.print(f"$ {line}")
        output, began = debian.root / "output", time.monotonic()
        process = debian.start(line, output)
        if line == "make dev":
            _ask(debian, process, output, request, table)
        elif process.wait():
            raise StartFailed(f"`{line}` ended with {process.returncode}:\n{_end(output)}")
        table.add_row(line, f"{time.monotonic() - began:.0f}", f"{debian.megabytes():.0f}")
    return table


def _ask(debian: BareDebian, dev: subprocess.Popen[bytes], output: Path, request: str, table: Table) -> None:
    """Send README's request as soon as `make dev` prints its env.sh, in another terminal, then end `make dev`."""
    began = time.monotonic()
    while not (ready := _READY.search(output.read_text())):
        if dev.poll() is not None or time.monotonic() - began > _START_SECONDS:
            raise StartFailed(f"`make dev` printed no env.sh:\n{_end(output)}")
        time.sleep(0.2)
    asked, answer = time.monotonic(), debian.root / "answer"
    terminal = debian.start(f". {ready[1]} && {request}", answer)
    if terminal.wait() or '"outcome":"applied"' not in answer.read_text():
        raise StartFailed(f"`{request}` was answered:\n{_end(answer)}\n{_end(output)}")
    seconds = time.monotonic() - asked
    if seconds > _FIRST_REQUEST_SECONDS:
        raise StartFailed(f"the first request took {seconds:.0f} s")
    table.add_row("its request by curl, after env.sh was printed", f"{seconds:.1f}", "")
    dev.kill()  # `unshare` ignores a SIGTERM
    dev.wait()


def _end(output: Path) -> str:
    return output.read_text()[-4_000:]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2_000:]}")
    return done.stdout


def run(*, with_tests: bool) -> None:
    """Make the Debian, run README's lines in it, and remove it. Raises LocalError."""
    work = Path(tempfile.mkdtemp(prefix="collate-gateway-newcomer-", dir="/var/tmp"))
    try:
        require("make newcomer", {"debootstrap": "debootstrap", "unshare": "util-linux", "git": "git"})
        debian = BareDebian(work / "root")
        console.print(f"Debian {SUITE} with {', '.join(PACKAGES)}: a minute")
        debian.make()
        console.print(f"{debian.megabytes():.0f} MB")
        console.print(follow(debian, with_tests))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="make newcomer", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--with-tests", action="store_true", help="run `make test` too")
    options = parser.parse_args()
    return exit_code(lambda: run(with_tests=options.with_tests))


if __name__ == "__main__":
    sys.exit(main())
