"""Somebody who follows the guides line by line, in a directory of his own; whatever a line needs is really there."""

import asyncio
import os
import shlex
import signal
import string
import subprocess
import sys
from pathlib import Path

import yaml

from tests.contract.documents.pages import LINES, PAGES, blocks
from tests.system.documents.kubernetes import Refused, until_reachable

BIN = Path(sys.executable).parent
# Whoever runs these proves them; here they would need an engine, or run all tests in a test.
ELSEWHERE = {
    ("docker", "build"): "tests/system/image/test_image.py",
    ("docker", "push"): "tests/system/image/test_image.py",
    ("make", "sbom"): "tests/system/image/test_wheel.py",
    ("make", "demo"): "tests/system/local/test_demo.py",
    ("make", "dev"): "tests/system/local/test_demo.py",
    ("make", "test"): ".ci/run",
    ("make", "bench"): "bench/__main__.py",
    ("python", "-m"): "tests/system/documents/test_collate_readme.py",
    ("curl", "-s"): "tests/system/documents/test_collate_readme.py",
}
# Nothing stands still here; tests/system/gateway/test_dead_letters.py resumes what does.
TELLS_INSTEAD = {("gateway", "worker", "resume"): "Nothing was resumed"}


class Reader:
    """`environ` is his shell's; `stands_for` says what the examples' hosts and ports are on this machine."""

    def __init__(self, directory, kubernetes):
        self.directory, self.kubernetes = directory, kubernetes
        self.environ = {
            "PATH": f"{directory}:{BIN}:{os.environ['PATH']}",
            "HOME": str(directory),
            "COLUMNS": "200",
            "USER": "op-7",
        }
        self.stands_for, self.did = {}, set()

    def keep_values(self):
        """Write values.yaml as the guide has it."""
        first, *more = [yaml.safe_load(block) for block in blocks(PAGES["docs/deploy.md"], "yaml")]
        self._write_values(first)
        self._more = more

    def add_values(self):
        """Add what the guide calls optional."""
        values = yaml.safe_load((self.directory / "values.yaml").read_text())
        for more in self._more:
            values |= more
        self._write_values(values)

    def lines_of(self, page):
        return [line for line in LINES if line.page == page and line.words[:2] not in ELSEWHERE]

    async def follow(self, line):
        """Do what the line says; AssertionError with all that was said if it can't be done."""
        try:
            told = await asyncio.to_thread(self._do, self._here(line.text), line.words[0])
        except Refused as refused:
            raise AssertionError(f"{line.page}: {line.text}\n{refused}") from refused
        self.did.add(line.words)
        return told

    def _do(self, text, program):
        words = shlex.split(text, comments=True)
        meant = [string.Template(word).safe_substitute(self.environ) for word in words]
        match program:
            case "helm":
                return self.kubernetes.helm(meant[1:])
            case "kubectl":
                return self._tolerate(meant, lambda: self.kubernetes.kubectl(meant[1:]))
            case "export":
                for assignment in meant[1:]:
                    name, _, value = assignment.partition("=")
                    self.environ[name] = value.replace("~", self.environ["HOME"])
                return ""
        if words[:2] == ["gateway", "watch"]:
            return self._watch(text)
        done = until_reachable(lambda: self._bash(text))
        if done.returncode:
            raise Refused(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
        self.stderr = done.stderr
        return done.stdout

    def _bash(self, text):
        # Whoever is asked says yes.
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            input="y\n",
            env=self.environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def _watch(self, text):
        """See something happen, then press Ctrl-C."""
        watching = subprocess.Popen(
            shlex.split(string.Template(text).substitute(self.environ)),
            env=self.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        first = watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=30)
        if watching.returncode:
            raise Refused(f"exit code {watching.returncode}: {first}{rest}")
        return first

    def _tolerate(self, words, doing):
        command = tuple(words[words.index("--") + 1 :][:3]) if "--" in words else ()
        expected = TELLS_INSTEAD.get(command)
        if expected is None:
            return doing()
        try:
            told = doing()
        except Refused as refused:
            if expected in str(refused):
                return str(refused)
            raise
        raise Refused(f"expected to be told {expected!r}, not {told!r}")

    def _here(self, text):
        for example, real in {**self.stands_for, **self.kubernetes.forwarded}.items():
            text = text.replace(example, real)
        return text

    def _write_values(self, values):
        (self.directory / "values.yaml").write_text(yaml.safe_dump(values))
