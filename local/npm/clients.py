"""`make client-packages`: write the TypeScript client's types again, check it, run its tests and build both packages.

    clients/typescript/src/generated.ts    the types, by openapi-typescript from schemas/published
    dist/                                  the wheel of the Python client and the archive of the TypeScript client

With `--check` it changes no file of the repository.
"""

import argparse
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local.failures import StartFailed, exit_code
from local.npm.project import PROJECT, prepare, run_npm

ROOT: Final = Path(__file__).parents[2]


def checks(*, is_check: bool) -> tuple[tuple[str, ...], ...]:
    """Return npm's arguments of each step before the build."""
    generate = ("run", "generate", "--", "--check") if is_check else ("run", "generate")
    return (generate, ("run", "check"), ("test",))


def run(target: Path, *, is_check: bool) -> None:
    """Run each step, then build. Raises StartFailed with the output of a failed one, and NoPackage."""
    with _only_one():
        prepare()
        for arguments in checks(is_check=is_check):
            _npm(*arguments)
    build(target)
    print(f"The clients are built: {target}")


def build(target: Path) -> None:
    """Build both packages. Raises StartFailed and NoPackage."""
    target.mkdir(parents=True, exist_ok=True)
    with _only_one():
        prepare()
        _npm("pack", "--silent", "--pack-destination", str(target))
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    done = subprocess.run(command, cwd=ROOT / "clients" / "python", capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"the wheel could not be built:\n{done.stdout}{done.stderr}")


@contextmanager
def _only_one() -> Iterator[None]:
    """Let one process at a time work in the project: a build begins with the removal of the last one."""
    with (PROJECT / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _npm(*arguments: str) -> None:
    done = run_npm(*arguments)
    if done.returncode:
        raise StartFailed(f"npm {' '.join(arguments)} in {PROJECT} failed:\n{done.stdout}{done.stderr}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="make client-packages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the types are stale, instead of writing them")
    parser.add_argument("--target", type=Path, default=ROOT / "dist", help="the directory of the packages")
    options = parser.parse_args(arguments)
    return exit_code(lambda: run(options.target, is_check=options.check))


if __name__ == "__main__":
    sys.exit(main())
