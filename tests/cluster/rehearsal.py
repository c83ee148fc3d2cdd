"""`make rehearsal`: build a release of this commit, install it on a fresh cluster, and upgrade an earlier build to it.

The release is everything that `make release ARGS=--image` builds. The clusters get its chart and its image, and those
of an earlier commit, which that commit's own code builds. Run it as root on Debian, from a clean commit. Nothing leaves
this machine.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from local.failures import StartFailed, exit_code
from local.image import __main__ as image
from local.image.requirements import require
from local.kubernetes import binaries
from local.kubernetes.__main__ import NEEDS as CLUSTER_NEEDS
from local.kubernetes.paths import ROOT
from local.release.__main__ import TARGET
from runtime.version import VERSION

EARLIER = "earlier"
FRESH_CASES = ("install", "story")
# The rows of docs/upgrade.md, "Roll back".
UPGRADE_CASES = ("rolling-upgrade", "two-steps-rolled-back", "failed-upgrade-rolled-back", "other-chart-rolled-back")

console = Console(width=120)


def rehearse(before):
    """Run all steps; print the seconds of each and the sizes of the artifacts. Raises StartFailed."""
    needs = {"faketime": "faketime"} | CLUSTER_NEEDS | image.PROGRAMS | image.OF_THE_BASES
    require("make rehearsal", needs, others=binaries.needs())
    table = Table("step", "s", title="rehearsal")
    with tempfile.TemporaryDirectory(prefix="collate-gateway-rehearsal-", dir="/var/tmp") as directory:
        earlier = Path(directory) / EARLIER
        with step(table, "programs of Kubernetes, if the cache has none"):
            binaries.build()
        commit = run("git", "rev-parse", "--verify", f"{before}^{{commit}}", capture=True).strip()
        with step(table, "make release --image"):
            module("local.release", "--image")
        with step(table, "checksums of the release"):
            run("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=TARGET)
        with step(table, "the same checksums from another folder, a day later"):
            again = Path(directory) / "again"
            run("git", "clone", "--quiet", ROOT, again)
            run("faketime", "-f", "+1d", "make", "-C", again, "release", "ARGS=--image")
            run("sha256sum", "--check", "--quiet", again / "dist" / "release" / "SHA256SUMS", cwd=TARGET)
        with step(table, f"image of {commit[:12]}"):
            run("git", "clone", "--quiet", "--no-checkout", ROOT, earlier)
            run("git", "checkout", "--quiet", commit, cwd=earlier)
            module("local.image", "--tag", EARLIER, cwd=earlier)
        release = (TARGET / f"gateway-{VERSION}.tgz", TARGET / "image.tar", VERSION)
        was = (earlier / "helm" / "gateway", earlier / "dist" / "image.tar", EARLIER)
        with step(table, f"the release on a fresh cluster: {', '.join(FRESH_CASES)}"):
            module("tests.cluster.run", "--install", *release, "--", *FRESH_CASES)
        with step(table, f"{commit[:12]} on a fresh cluster, upgraded to the release and rolled back"):
            module("tests.cluster.run", "--install", *was, "--upgrade-to", *release, "--", *UPGRADE_CASES)
    sizes = Table("artifact", "MB", title=f"{TARGET.relative_to(ROOT)}")
    for path in sorted(TARGET.iterdir()):
        sizes.add_row(path.name, f"{path.stat().st_size / 1e6:.2f}")
    console.print(table, sizes)


@contextmanager
def step(table, name):
    console.print(f"== {name}", style="bold")
    began = time.monotonic()
    yield
    table.add_row(name, f"{time.monotonic() - began:.0f}")


def module(name, *arguments, cwd=ROOT):
    """Run a module of the checkout in a directory: Python imports from there first."""
    run(sys.executable, "-m", name, *arguments, cwd=cwd)


def run(*command, cwd=ROOT, capture=False):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE if capture else None, text=True, check=False
    )
    if done.returncode:
        raise StartFailed(f"the rehearsal ends: `{' '.join(map(str, command))}` ended with {done.returncode}")
    return done.stdout


def main():
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="make rehearsal", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--before", default="HEAD~1", metavar="REV", help="the earlier commit (default: HEAD~1), with 0002_first.py"
    )
    options = parser.parse_args()
    return exit_code(lambda: rehearse(options.before))


if __name__ == "__main__":
    sys.exit(main())
