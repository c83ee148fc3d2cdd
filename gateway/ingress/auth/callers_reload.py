"""The callers file in a running process: it must be valid at the start, and a valid change replaces the callers."""

import asyncio

from adapters.oidc.tokens import Tokens
from gateway.ingress.auth.callers_file import CallersFile
from runtime.exits import StartupError
from runtime.process import Process
from runtime.settings import Settings
from runtime.toml_file import TomlInvalid

CALLERS_CHECK_SECONDS = 1.0


class CallersFileError(StartupError):
    """The callers file is missing or invalid."""

    title = "callers' file"


def read_callers(settings: Settings) -> CallersFile:
    """Read the callers file at the start. Raises CallersFileError."""
    path = settings.ingress.callers_file
    if path is None:
        raise CallersFileError(["GATEWAY_INGRESS__CALLERS_FILE: required for `gateway ingress` but not set"])
    try:
        return CallersFile(path)
    except TomlInvalid as error:
        raise CallersFileError([f"{path}: {error}"]) from error


async def reload_callers(callers: CallersFile, tokens: Tokens, process: Process) -> None:
    """Read the callers file again when it changes, until cancelled. Verified tokens are then verified again."""
    reloads = process.metrics.ingress.callers_reloads
    beat = process.health.beat("callers")
    while True:
        await asyncio.sleep(CALLERS_CHECK_SECONDS)
        beat()
        earlier_problem = callers.problem
        if callers.reread_if_changed():
            tokens.forget()
            reloads.labels("ok").inc()
            process.log.info("ingress.callers_reloaded", callers=len(callers.current))
        elif callers.problem not in {None, earlier_problem}:
            reloads.labels("refused").inc()
            process.log.error("ingress.callers_file_rejected", problem=callers.problem)
