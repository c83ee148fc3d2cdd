"""The storyteller of `make demo` and `make drill`: numbered steps on a console, each with notes and events."""

from rich.console import Console

from local.event_listener import Event

COLOURS = {"command": "blue", "handoff": "magenta", "authorization": "green"}
FACTS = {
    "command": "",
    "action": "needs",
    "reason": "reason",
    "accessAvailable": "access:",
    "content": "",
    "operator": "to",
    "finalSubmitCapable": "may submit:",
    "result": "result",
    "closedAt": "closed at",
    "endsAt": "ends at",
    "reported": "reported",
    "requestedBy": "requested by",
    "acceptedBy": "accepted by",
    "reportedBy": "reported by",
    "agreement": "agreement",
    "from": "from",
    "to": "to",
    "status": "payer:",
    "outcome": "outcome",
    "effect": "effect",
    "payerId": "of",
}

_YES_NO = {"True": "yes", "False": "no"}


class Story:
    """Tells what happens. A step names an actor and the action; notes are its details."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._steps = 0

    def step(self, actor: str, does: str) -> None:
        """Begin the next step."""
        self._steps += 1
        self.console.print(f"\n  [bold]{self._steps:>2}  {actor}[/] {does}")

    def note(self, text: str) -> None:
        """Print a detail of the step."""
        self.console.print(f"       [dim]{text}[/]", markup=True)

    def accepted(self, path: str, command: str) -> None:
        """Print that a command was accepted."""
        self.note(f"POST …/{path} → 202 accepted, command {command}")

    def event(self, event: Event) -> None:
        """Print an event as its subscriber receives it."""
        self.console.print(f"       [dim]event ◀[/] {coloured(event.kind)}  [dim]{facts_of(event)}[/]")

    def output(self, command: str, lines: list[str], most: int) -> None:
        """Print a command line and at most so many lines of its output, without markup."""
        self.console.print(f"       [bold cyan]$ {command}[/]", markup=True)
        for line in lines[:most]:
            self.console.print(f"         {line}", markup=False, style="dim")
        if len(lines) > most:
            self.console.print(f"         … {len(lines) - most} more lines", style="dim")


def coloured(kind: str) -> str:
    """Return an event's kind in the colour of its subject, padded to a column."""
    return f"[{COLOURS[kind.partition('.')[0]]}]{kind:<29}[/]"


def facts_of(event: Event) -> str:
    """Return the most important facts of an event."""
    data = {**event.data, **event.data.get("payer", {})}
    return ", ".join(
        f"{word} {shortened(_YES_NO.get(str(data[name]), str(data[name])))}".strip()
        for name, word in FACTS.items()
        if data.get(name) is not None
    )


def shortened(value: str) -> str:
    """Return a type or value without the product's prefix and version."""
    return value.removeprefix("collate-gateway.").removesuffix(".v1")
