"""The health of one process: its components, the heartbeats of its loops, and its failed tasks.

Live means that the process's own code runs. Ready means that the process can answer: every component is ok or degraded.
A process that waits for Kafka or Collate stays live, because a restart would not help.

    starting   not ok yet                       not ready
    ok         works                            ready
    degraded   is away; the process answers     ready, and the summary names it
    waiting    is away                          not ready
    failed     needs a person                   not ready
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

State = Literal["starting", "ok", "degraded", "waiting", "failed"]
_GOOD: Final = frozenset({"ok", "degraded"})


@dataclass(frozen=True, slots=True)
class Component:
    """A part that readiness depends on; `detail` explains its state, `since` is when the state began."""

    state: State
    detail: str
    since: float


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a probe, a summary in one sentence, and the parts that it depends on."""

    good: bool
    summary: str
    parts: dict[str, dict[str, object]]


@dataclass(slots=True)
class Beat:
    """The heartbeat of one loop; the loop calls it in every iteration.

    A loop that waits for another system is not stalled. So the loop passes the sum of the timeouts that follow, and
    that time is added to the allowed silence.
    """

    stalled_after_seconds: float
    clock: Callable[[], float]
    last: float = field(init=False)
    wait_seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.last = self.clock()

    def __call__(self, wait_seconds: float = 0.0) -> None:
        """Record that the loop runs and may now wait for up to `wait_seconds`."""
        self.last = self.clock()
        self.wait_seconds = wait_seconds

    @property
    def silent_seconds(self) -> float:
        """Return the seconds since the loop last ran."""
        return self.clock() - self.last

    @property
    def allowed_seconds(self) -> float:
        """Return the longest silence of a loop that runs."""
        return self.stalled_after_seconds + self.wait_seconds


class Health:
    """The state of every component, loop and task of one process."""

    def __init__(self, stalled_after_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._stalled_after = stalled_after_seconds
        self._clock = clock
        self._components: dict[str, Component] = {}
        self._beats: dict[str, Beat] = {}
        self._dead: dict[str, str] = {}
        self._started = False

    def expect(self, *names: str) -> None:
        """Name the components that must be ok before the process has started; call this before the first `set`."""
        for name in names:
            self.set(name, "starting")

    def set(self, name: str, state: State, detail: str = "") -> None:
        """Set a component's state. Readiness requires the component from then on."""
        known = self._components.get(name)
        since = known.since if known is not None and known.state == state else self._clock()
        self._components[name] = Component(state, detail, since)
        self._started = self._started or all(part.state in _GOOD for part in self._components.values())

    def set_away(self, name: str, detail: str) -> None:
        """Set a component without which the process can answer: degraded, or waiting until the process has started.

        So a new process is ready only when it has reached every component once.
        """
        self.set(name, "degraded" if self._started else "waiting", detail)

    def remove(self, name: str) -> None:
        """Remove a component, for example a revoked partition."""
        self._components.pop(name, None)

    def component(self, name: str) -> Component | None:
        """Return a component as it was last set."""
        return self._components.get(name)

    def is_degraded(self, name: str) -> bool:
        """Return whether a component is away that the process can answer without."""
        part = self._components.get(name)
        return part is not None and part.state == "degraded"

    def all_ok(self) -> bool:
        """Return whether the process is ready and nothing is degraded."""
        return self.ready().good and not any(map(self.is_degraded, self._components))

    def beat(self, loop: str, allowed_seconds: float | None = None) -> Beat:
        """Register a loop. It must call the returned heartbeat at least every `allowed_seconds`, or /livez fails."""
        beat = Beat(self._stalled_after if allowed_seconds is None else allowed_seconds, self._clock)
        self._beats[loop] = beat
        return beat

    def task_failed(self, task: str, error: str) -> None:
        """Record that a task ended although it should run until the process stops."""
        self._dead[task] = error

    def live(self) -> ProbeResult:
        """Return whether every loop and task of the process runs."""
        parts: dict[str, dict[str, object]] = {
            name: {
                "state": "ok" if beat.silent_seconds <= beat.allowed_seconds else "failed",
                "detail": f"last ran {beat.silent_seconds:.1f} s ago, at most {beat.allowed_seconds:g} s are allowed",
            }
            for name, beat in self._beats.items()
        }
        parts |= {name: {"state": "failed", "detail": f"task ended: {error}"} for name, error in self._dead.items()}
        return _probe_result("live", "not live", parts)

    def ready(self) -> ProbeResult:
        """Return whether the process can answer: every component is ok or degraded."""
        now = self._clock()
        parts: dict[str, dict[str, object]] = {
            name: {"state": part.state, "detail": part.detail, "forSeconds": round(now - part.since, 1)}
            for name, part in self._components.items()
        }
        parts |= {name: {"state": "failed", "detail": f"task ended: {error}"} for name, error in self._dead.items()}
        if not parts:
            return ProbeResult(good=False, summary="not ready: no component has started yet", parts={})
        return _probe_result("ready", "not ready", parts)

    def startup(self) -> ProbeResult:
        """Return whether all components have been ok at the same time, once since the start."""
        if self._started:
            return ProbeResult(good=True, summary="started", parts={})
        ready = self.ready()
        return ProbeResult(
            good=ready.good, summary=ready.summary.replace("not ready", "not started"), parts=ready.parts
        )


def _probe_result(good: str, bad: str, parts: dict[str, dict[str, object]]) -> ProbeResult:
    wrong = {name: part for name, part in parts.items() if part["state"] not in _GOOD}
    shown = wrong or {name: part for name, part in parts.items() if part["state"] == "degraded"}
    verdict = bad if wrong else good
    if not shown:
        return ProbeResult(good=True, summary=verdict, parts=parts)
    reasons = "; ".join(
        f"{name} {part['state']}" + (f" ({part['detail']})" * bool(part["detail"])) for name, part in shown.items()
    )
    return ProbeResult(good=not wrong, summary=f"{verdict}: {reasons}", parts=parts)
