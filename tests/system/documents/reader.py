"""A reader that runs the guides line by line in its own directory; everything that a line needs is real."""

import asyncio
import os
import shlex
import signal
import string
import subprocess
import sys
from pathlib import Path

import yaml

from tests.contract.documents.pages import LINES, VALUES
from tests.system.documents.kubernetes import CommandRefused, until_reachable

BIN = Path(sys.executable).parent
# Other tests run these lines. Here they would need a container engine, or run all tests inside a test.
RUN_ELSEWHERE = {
    ("openssl", "dgst", "-sha256"): "tests/unit/local/test_release.py",
    ("sha256sum",): "tests/unit/local/test_release.py",
    ("python3",): "tests/unit/local/test_release.py",
    ("docker", "build"): "tests/system/image/test_image.py",
    ("docker", "push"): "tests/system/image/test_image.py",
    ("make", "sbom"): "tests/system/image/test_wheel.py",
    ("make", "image"): "local/image/__main__.py",
    ("make", "cluster"): "local/kubernetes/__main__.py",
    ("make", "cluster-test"): "tests/cluster/run.py",
    ("make", "demo"): "tests/system/local/test_demo.py",
    ("make", "dev"): "tests/system/local/test_demo.py",
    ("make", "test"): "tests/newcomer.py",
    ("make", "test-all"): ".ci/run",
    ("make", "lint"): ".ci/run",
    ("make", "unit"): ".ci/run",
    ("make", "bench"): "bench/__main__.py",
    ("make", "mutants"): "tests/mutants.py",
    ("make", "client-packages"): "tests/system/clients/packed.py",
    ("curl", "-sS", "-H"): "tests/system/clients/test_pages.py",
    ("gateway", "check", "--offline", "--for", "deliverer"): "tests/system/deliverer/test_operations.py",
    ("kubectl", "--namespace", "gateway", "exec", "gateway-deliverer-0"): "tests/system/deliverer/test_operations.py",
    ("make", "drill"): "tests/system/local/test_drill.py",
    ("kubectl", "taint"): "tests/cluster/nodes.py",
    ("gateway", "audit"): "tests/system/runtime/test_audit_export.py",
    ("gateway", "shadow"): "tests/system/shadow/test_shadow.py",
    ("gateway", "support-bundle"): "tests/system/runtime/test_support_bundle.py",
    ("python", "-m"): "tests/system/documents/test_collate_readme.py",
    ("curl", "-s"): "tests/system/documents/test_collate_readme.py",
}
# No partition is stopped here; tests/system/gateway/test_dead_letters.py resumes one.
EXPECTED_REFUSALS = {("gateway", "worker", "resume"): "Nothing was resumed"}


def run_elsewhere(line):
    """Return the file that runs this line, or None."""
    return next((place for words, place in RUN_ELSEWHERE.items() if line.words[: len(words)] == words), None)


class Reader:
    """`environ` is the reader's shell; `replacements` maps the examples' hosts and ports to this machine."""

    def __init__(self, directory, kubernetes):
        self.directory, self.kubernetes = directory, kubernetes
        self.environ = {
            "PATH": f"{directory}:{BIN}:{os.environ['PATH']}",
            "HOME": str(directory),
            "COLUMNS": "200",
            "USER": "op-7",
        }
        self.replacements, self.lines_run = {}, set()

    def write_values(self):
        """Write values.yaml as the guide shows it."""
        required, _zone, self._read_model, _console, _webhooks, _proxy = [yaml.safe_load(block) for block in VALUES]
        self._dump_values(required)

    def add_read_model_values(self):
        """Add the guide's values for status and timelines. Those of the other options have tests/chart."""
        self._dump_values(yaml.safe_load((self.directory / "values.yaml").read_text()) | self._read_model)

    def lines_of(self, page):
        return [line for line in LINES if line.page == page and run_elsewhere(line) is None]

    async def follow(self, line):
        """Run the line and return its output. Raises AssertionError with the output if the line fails."""
        try:
            output = await asyncio.to_thread(self._do, self._here(line.text), line.words[0])
        except CommandRefused as refused:
            raise AssertionError(f"{line.page}: {line.text}\n{refused}") from refused
        self.lines_run.add(line.words)
        return output

    def _do(self, text, program):
        words = shlex.split(text, comments=True)
        words_here = [string.Template(word).safe_substitute(self.environ) for word in words]
        match program:
            case "helm":
                return self.kubernetes.helm(words_here[1:])
            case "kubectl":
                return self._run_or_refuse(words_here, lambda: self.kubernetes.kubectl(words_here[1:]))
            case "export":
                for assignment in words_here[1:]:
                    name, _, value = assignment.partition("=")
                    self.environ[name] = value.replace("~", self.environ["HOME"])
                return ""
        if words[:2] == ["gateway", "watch"]:
            return self._watch(text)
        done = until_reachable(lambda: self._bash(text))
        if done.returncode:
            raise CommandRefused(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
        self.stderr = done.stderr
        return done.stdout

    def _bash(self, text):
        # Answer yes to every question.
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            input="y\n",
            env=self.environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )

    def _watch(self, text):
        """Read the first line of output, then press Ctrl-C."""
        watching = subprocess.Popen(
            shlex.split(string.Template(text).substitute(self.environ)),
            env=self.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        first = watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate()
        if watching.returncode:
            raise CommandRefused(f"exit code {watching.returncode}: {first}{rest}")
        return first

    def _run_or_refuse(self, words, doing):
        command = tuple(words[words.index("--") + 1 :][:3]) if "--" in words else ()
        expected = EXPECTED_REFUSALS.get(command)
        if expected is None:
            return doing()
        try:
            output = doing()
        except CommandRefused as refused:
            if expected in str(refused):
                return str(refused)
            raise
        raise CommandRefused(f"expected the refusal {expected!r}, got {output!r}")

    def _here(self, text):
        for example, real in {**self.replacements, **self.kubernetes.forwarded}.items():
            text = text.replace(example, real)
        return text

    def _dump_values(self, values):
        (self.directory / "values.yaml").write_text(yaml.safe_dump(values))
