"""Build .venv: `make` runs `python3 local/environment.py` when the pinned requirements have changed.

This file runs before any package is installed, on any Python 3. It uses the standard library only, and no syntax that
an old Python cannot parse: an old Python must be able to print that it is too old.
"""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install")
OLDEST = (3, 11)
SHOW_EVERY = 20  # packages, without a terminal


def main() -> None:
    """Check this Python, create .venv if it is missing or of another Python, and install the pinned packages."""
    if sys.version_info < OLDEST:
        fail(f"This is Python {version()}; 3.11 or newer is required.", "Name another one: make PYTHON=python3.12 …")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out
        import venv  # noqa: F401, PLC0415
    except ImportError:
        fail("This Python lacks the venv module.", f"Debian, Ubuntu: apt-get install python{version()}-venv")
    if not has_this_python():
        print(f"Building .venv with Python {version()}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    install("dev.txt")
    install("java.txt", "The local Kafka cannot run here. With TEST_KAFKA=host:port the tests use yours.")
    install(
        "postgres.txt", "The local PostgreSQL cannot run here. With TEST_POSTGRES=postgresql://… the tests use yours."
    )
    install("browser.txt", "The browser tests cannot run here.")
    for project in (ROOT, ROOT / "clients" / "python"):
        local = (*PIP, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(project))
        subprocess.run(local, check=True)


def version() -> str:
    """Return this Python's version as major.minor."""
    return "{}.{}".format(*sys.version_info[:2])


def has_this_python() -> bool:
    """Whether .venv exists and is of this installation of Python: two of one version can differ in speed."""
    if not PYTHON.exists():
        return False
    command = [str(PYTHON), "-c", "import sys, pip; print('{}.{}'.format(*sys.version_info), sys.base_prefix)"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() == version() + " " + sys.base_prefix


def install(name: str, if_unavailable: str = "") -> None:
    """Install a file of pinned packages and show the progress.

    With `if_unavailable`, a missing wheel for this platform is not an error: print that text and return.
    """
    requirements = ROOT / "requirements" / name
    total = sum("==" in line for line in requirements.read_text().splitlines())
    command = (*PIP, "--progress-bar", "off", "--require-hashes", "--requirement", str(requirements))
    output = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        collected = 0
        for line in pip.stdout or ():
            output.append(line)
            if line.startswith("Collecting "):
                collected += 1
                show(
                    f"{collected}/{total} {line.split()[1].partition('==')[0]}",
                    also_without_terminal=collected % SHOW_EVERY == 0,
                )
            elif line.startswith("Installing "):
                show(f"installing {collected} packages", also_without_terminal=True)
    end_line()
    if pip.returncode and if_unavailable and any("No matching distribution" in line for line in output):
        print(f"No package of {name} for this platform. {if_unavailable}", flush=True)
    elif pip.returncode:
        fail(
            "pip could not install requirements/" + name + ":\n" + "".join(output[-15:]),
            "Fix the error and run make again.",
        )


def show(step: str, *, also_without_terminal: bool) -> None:
    """Print the current step; on a terminal it replaces the previous one."""
    if sys.stdout.isatty():
        print(f"\r\033[K{step}", end="", flush=True)
    elif also_without_terminal:
        print(step, flush=True)


def end_line() -> None:
    """Clear the last step from the terminal."""
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def fail(problem: str, remedy: str) -> NoReturn:
    """Exit with a problem and its remedy."""
    sys.exit(f"{problem}\n{remedy}")


if __name__ == "__main__":
    main()
