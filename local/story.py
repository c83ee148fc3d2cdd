"""The storyteller of `make demo` and `make drill`: numbered steps on a console, each with notes and events."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.event_listener import Event
from schemas.timeline import describe

COLOURS = {"command": "blue", "handoff": "magenta", "authorization": "green"}


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
        """Print an event with its sentence, as a timeline has it."""
        row = Table.grid(padding=(0, 2))
        row.add_column(width=44)
        kind = f"[{COLOURS[event.kind.partition('.')[0]]}]{event.kind}[/]"
        row.add_row(f"       [dim]event ◀[/] {kind}", Text(describe(event.kind, event.data), style="dim"))
        self.console.print(row, soft_wrap=False)

    def output(self, command: str, lines: list[str], most: int) -> None:
        """Print a command line and at most so many lines of its output, without markup."""
        self.console.print(f"       [bold cyan]$ {command}[/]", markup=True)
        for line in lines[:most]:
            self.console.print(f"         {line}", markup=False, style="dim")
        if len(lines) > most:
            self.console.print(f"         … {len(lines) - most} more lines", style="dim")
