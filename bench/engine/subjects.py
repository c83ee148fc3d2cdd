"""Starts `bench.engine.subject` as a process, and reads its reports."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import psutil

if TYPE_CHECKING:
    from bench.engine.subject import Task


class Subject:
    """One process of `bench.engine.subject`."""

    def __init__(self, task: Task) -> None:
        self._task = task

    async def __aenter__(self) -> Self:
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.engine.subject",
            json.dumps(asdict(self._task)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the process."""
        if self._process.returncode is None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def report(self, name: str, seconds: float = 180) -> dict[str, Any]:
        """Return the next report with this name."""
        if self._process.stdout is None:
            raise RuntimeError("the subject has no output")
        async with asyncio.timeout(seconds):
            async for line in self._process.stdout:
                report: dict[str, Any] = json.loads(line)
                if report["report"] == name:
                    return report
        raise RuntimeError(f"the subject ended without the report {name!r}; see its output above")

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that the process has used."""
        return float(sum(psutil.Process(self._process.pid).cpu_times()[:2]))
