"""`make clients`: generate clients from the OpenAPI document, compile them, and hand off with each of them.

    make clients                          all steps
    make clients ARGS="--only go"         one generator: openapi-python-client, typescript, go, python, oasdiff

Each walk sends request, grant and close to real processes with Kafka, PostgreSQL and a simulated Collate. oasdiff
compares the document with that of the last release.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from docs_build.baseline import NoTag
from local.failures import LocalError
from local.stack import LocalStack, local_stack
from schemas.published import PUBLISHED
from tests.clients import generated, tools
from tests.clients.compatibility import compare
from tests.clients.handoffs import check_at_collate, waiting_authorization

FAILED: Final = 1
OASDIFF: Final = "oasdiff"


@dataclass(frozen=True, slots=True)
class Oracle:
    """A generator: how its client is made and compiled, and the command that walks with it."""

    name: str
    build: Callable[[Path, Path], None]
    walk: Callable[[Path], list[str | Path]]


ORACLES: Final = (
    Oracle("openapi-python-client", generated.openapi_python_client, generated.python_walk),
    Oracle("typescript", generated.typescript, generated.typescript_walk),
    Oracle("go", generated.go, generated.go_walk),
    Oracle("python", generated.generator_python, generated.python_walk),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="make clients", description=__doc__)
    names = [oracle.name for oracle in ORACLES]
    parser.add_argument("--only", choices=[*names, OASDIFF], help="run one of them")
    parser.add_argument("--document", type=Path, default=PUBLISHED / "openapi.json", help="another document")
    given = parser.parse_args(arguments)
    chosen = [oracle for oracle in ORACLES if given.only in {None, oracle.name}]
    failures: list[str] = []
    with tools.scratch() as directory:
        built = [oracle for oracle in chosen if _build(oracle, given.document, Path(directory), failures)]
        if built:
            _walk(built, Path(directory), failures)
        if given.only in {None, OASDIFF}:
            with _step(f"{OASDIFF}: no incompatible change since the last release", failures):
                if not compare(given.document, Path(directory)):
                    print("no release yet")
    total = len(chosen) + (given.only in {None, OASDIFF})
    print(f"{total - len(failures)} passed, {len(failures)} failed")
    return FAILED if failures else 0


def _build(oracle: Oracle, document: Path, directory: Path, failures: list[str]) -> bool:
    before = len(failures)
    with _step(f"{oracle.name}: generated and compiled", failures):
        oracle.build(document, directory / oracle.name)
    return len(failures) == before


def _walk(oracles: Sequence[Oracle], directory: Path, failures: list[str]) -> None:
    try:
        with local_stack(Console(stderr=True)) as stack:
            for oracle in oracles:
                with _step(f"{oracle.name}: request, grant, close", failures):
                    _hand_off(oracle, stack, directory / oracle.name)
    except LocalError as error:
        failures.append(str(error))
        print(error, file=sys.stderr)


def _hand_off(oracle: Oracle, stack: LocalStack, client: Path) -> None:
    authorization = waiting_authorization(stack.collate_url)
    environ = {
        "GATEWAY_CLIENT_URL": stack.ingress.url,
        "GATEWAY_CLIENT_KEY": stack.installation.caller_key,
        "GATEWAY_CLIENT_AUTHORIZATION": authorization,
    }
    output = tools.run(oracle.walk(client), client, environ)
    check_at_collate(stack.collate_url, authorization, output)


@contextmanager
def _step(name: str, failures: list[str]) -> Iterator[None]:
    """Print how a step ended and its time; keep its failure, so that the other steps run too."""
    started = time.monotonic()
    try:
        yield
    except (NoTag, tools.NoTool, tools.CommandFailed, AssertionError) as error:
        failures.append(name)
        print(f"✗ {name}\n{error}", flush=True)
    else:
        print(f"✓ {name}, {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
