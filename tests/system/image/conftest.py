"""Builds the image without a container engine: runs the Dockerfile's steps in a directory that represents its root.

The image's paths are mapped into that directory. The base image is the Python that runs the tests, without packages,
and a tree of files at the places where the real base has pip. A step that could touch the machine itself is refused.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
IMAGE_PATHS = re.compile(r"(?<![\w.$/-])/(opt|src|usr/local)(?=[/\s:]|$)")
# A word of a step with a slash: below a mapped directory, or relative to the working directory.
INSIDE = re.compile(r"(MAPPED|\w[\w.-]*)(/[\w.*-]*)*")
# What the real base has of pip, by its place below /usr/local. The last two files stay.
BASE_FILES = (
    "bin/pip",
    "bin/pip3",
    "bin/pip{version}",
    "bin/wheel",
    "lib/python{version}/ensurepip/__init__.py",
    "lib/python{version}/ensurepip/_bundled/pip-24.0-py3-none-any.whl",
    "lib/python{version}/site-packages/_distutils_hack/__init__.py",
    "lib/python{version}/site-packages/distutils-precedence.pth",
    "lib/python{version}/site-packages/pip-24.0.dist-info/METADATA",
    "lib/python{version}/site-packages/pip/__init__.py",
    "lib/python{version}/site-packages/pkg_resources/__init__.py",
    "lib/python{version}/site-packages/setuptools/__init__.py",
    "lib/python{version}/site-packages/wheel/__init__.py",
    "bin/python{version}",
    "lib/python{version}/os.py",
)


def escapes(step):
    """Return the words of a step that could reach the machine outside the image's directory.

    These are absolute paths that are not mapped, `..`, a value that only the shell knows, and programs of the machine,
    except `rm` and the Python that makes a virtual environment.
    """
    lexer = shlex.shlex(IMAGE_PATHS.sub("MAPPED", step), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    outside = [word for word in words if ".." in word or ("/" in word and not INSIDE.fullmatch(word))]
    outside += [word for word in words if set(word) & set("$~`{")]
    begins = [place for place in range(len(words)) if place == 0 or set(words[place - 1]) <= set("();|&")]
    venv = ["python", "-m", "venv"]
    allowed = [place for place in begins if words[place] == "rm" or words[place : place + 3] == venv]
    return outside + [words[one] for one in begins if one not in allowed and not words[one].startswith("MAPPED/")]


def instructions(text):
    """Return the Dockerfile's instructions, without comments and with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\s*\n", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


class Context:
    """The build context: the files that .dockerignore does not exclude."""

    def __init__(self, directory):
        self._directory = directory
        patterns = (directory / ".dockerignore").read_text().splitlines()
        self._patterns = [line for line in patterns if line and not line.startswith("#")]

    def has(self, name):
        included = True
        for pattern in self._patterns:
            glob = pattern.removeprefix("!")
            parts = name.split("/")
            prefixes = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
            name_glob = glob.removeprefix("**/")
            if any(fnmatch.fnmatch(prefix, glob) for prefix in prefixes) or (
                name_glob != glob and any(fnmatch.fnmatch(part, name_glob) for part in parts)
            ):
                included = pattern.startswith("!")
        return included

    def copy(self, source, target):
        """COPY a source. A directory's content goes into the target; a file keeps its name."""
        start = self._directory / source
        files = [start] if start.is_file() else [file for file in start.rglob("*") if file.is_file()]
        files = [file for file in files if self.has(file.relative_to(self._directory).as_posix())]
        assert files, f"COPY {source}: it is not in the context"
        for file in files:
            place = target / (file.name if start.is_file() else file.relative_to(start))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, place)


class Image:
    """The result of the steps. `gateway` is the entry point, `environ` the environment."""

    def __init__(self, directory, context):
        self.root, self.user, self.labels, self.command = directory, None, {}, []
        self.environ, self.workdir = {}, directory
        self.context, self._stages, self._arguments = context, {}, {}
        self._base = directory.with_name("base")
        self._base.mkdir()
        (self._base / "python").symlink_to(Path(sys._base_executable).resolve())
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        self.base_files = {Path("usr/local") / name.format(version=version) for name in BASE_FILES}

    @property
    def gateway(self):
        (name,) = self.command
        return Path(shutil.which(name, path=self.environ["PATH"]))

    def build(self, text):
        for verb, rest in instructions(text):
            getattr(self, f"_{verb.lower()}")(rest)

    def _from(self, rest):
        # The result of a stage is moved away. The next stage starts empty in the same place, because a virtual
        # environment contains its own path.
        if self.root.exists():
            aside = self.root.with_name(f"stage{len(self._stages)}")
            self.root.rename(aside)
            self._stages[self._stage] = aside
        self._stage = rest.split()[-1]
        for file in self.base_files:
            (self.root / file).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file).touch()
        self.environ = {"PATH": f"{self._base}:/usr/bin:/bin", "HOME": str(self.root.with_name("home"))}
        self.workdir = self.root

    def _arg(self, rest):
        name, _, value = rest.partition("=")
        self._arguments[name] = value

    def _env(self, rest):
        for assignment in shlex.split(rest):
            name, _, value = assignment.partition("=")
            # pip may use this machine's cache.
            if name != "PIP_NO_CACHE_DIR":
                self.environ[name] = self._mapped(value.replace("$PATH", self.environ["PATH"]))

    def _workdir(self, rest):
        self.workdir = self.root / rest.lstrip("/")
        self.workdir.mkdir(parents=True, exist_ok=True)

    def _copy(self, rest):
        *sources, target = rest.split()
        if sources[0].startswith("--from="):
            stage = self._stages[sources.pop(0).removeprefix("--from=")]
            (source,) = sources
            (self.root / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (stage / source.lstrip("/")).rename(self.root / target.lstrip("/"))
            return
        for source in sources:
            self.context.copy(source, self.workdir / target)

    def _run(self, rest):
        assert not escapes(rest), f"RUN {rest}: not run, it could change this machine: {escapes(rest)}"
        done = subprocess.run(
            ["sh", "-ec", self._mapped(rest)],
            cwd=self.workdir,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def _label(self, rest):
        self.labels = dict(assignment.split("=", 1) for assignment in shlex.split(rest))

    def _user(self, rest):
        self.user = rest

    def _entrypoint(self, rest):
        self.command = json.loads(rest)

    def _expose(self, rest):
        self.ports = rest.split()

    def _cmd(self, rest):
        pass

    def _mapped(self, text):
        return IMAGE_PATHS.sub(lambda found: f"{self.root}/{found[1]}", text)


@pytest.fixture(scope="session")
def image():
    # Not below pytest's own directory, which other users cannot enter.
    directory = Path(tempfile.mkdtemp(prefix="collate-gateway-image-"))
    directory.chmod(0o755)
    built = Image(directory / "root", Context(ROOT))
    try:
        built.build((ROOT / "Dockerfile").read_text())
        for stage in built._stages.values():
            shutil.rmtree(stage)
        yield built
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def in_image(image, tmp_path):
    """Run a program of the image in its environment, without access to this repository's packages."""

    def run(*arguments, program=None, **settings):
        environ = image.environ | {name: value for name, value in os.environ.items() if name == "TMPDIR"} | settings
        command = [program or image.gateway, *arguments]
        return subprocess.run(command, env=environ, cwd=image.workdir, capture_output=True, text=True, check=False)

    return run


# As in Kubernetes: a read-only file system, the image's user with only its own group, no capabilities, no home. If the
# tests' Python is in a directory that only root can enter, that Python is mounted again.
CONFINED = """#!/bin/sh
exec unshare --mount --propagation private sh -ec '
  if [ -n "{closed}" ]; then
    mount -t tmpfs -o mode=755 none /mnt && mkdir /mnt/python && mount --bind "{python}" /mnt/python
    mount -t tmpfs -o mode=755 none "{closed}" && mkdir -p "{python}" && mount --bind /mnt/python "{python}"
    mount -o remount,ro "{closed}"; mount -o remount,ro /mnt
  fi
  for place in $(cut -d" " -f5 /proc/self/mountinfo); do
    case $place in /proc*|/sys*|/dev|/dev/null|/dev/pts) ;; *) mount -o remount,bind,ro "$place" || true ;; esac
  done
  exec setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
    env HOME=/nonexistent "$0" "$@"' "${{PROGRAM:-{program}}}" "$@"
"""


@pytest.fixture
def confined(image, tmp_path):
    """A program that runs the image's entry point as in Kubernetes."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root can switch to the image's user and mount its root read-only")
    python = Path(sys._base_executable).resolve().parents[1]
    closed = next((place for place in reversed(python.parents) if not place.stat().st_mode & stat.S_IXOTH), "")
    user, _, group = image.user.partition(":")
    program = tmp_path / "confined"
    program.write_text(CONFINED.format(closed=closed, python=python, user=user, group=group, program=image.gateway))
    program.chmod(0o755)
    return program
