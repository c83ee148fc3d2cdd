"""Fixtures for tests with several callers."""

import httpx
import pytest

from local.event_listener import listening
from tests.preloaded import run_gateway
from tests.system.gateway.services import Service, add_callers


@pytest.fixture
async def services(install, run, kafka, prefix, start):
    """The callers of an installation with one partition and the default limit of dead letters, and its worker."""
    installed = await install(kafka, settings={"GATEWAY_TOPICS__PARTITIONS": "1"})
    keys = add_callers(run)
    ingress, worker = await start(installed, "ingress"), await start(installed, "worker")
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:
        run_verb = verb_of(installed, ingress)
        yield {name: Service(http, ingress, key) for name, key in keys.items()}, worker, listener, http, run_verb


def verb_of(installed, ingress):
    """Return a function that runs a verb of the command line as an operator and returns its output."""
    environ = installed.caller_environ(ingress) | {"COLLATE_GATEWAY_OPERATOR": "op-7"}

    def run_verb(*words):
        done = run_gateway(*words, environ=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_verb
