"""Tables, pages and sentences about dead letters."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.api_client import models
from cli.dead_letters.decisions import AtCollate, DeadLetter, DecisionResult, DryRunResult
from cli.formatting import age, table_of, with_local_times
from cli.lists.listing import Cells, Columns, Listing
from schemas.enums import short_type

_COLOURS = {"finished": "green", "accepted": "blue", "dead_lettered": "red", "refused": "red", "ended": "dim"}
NONE_MATCHES = "No dead letter matches. `gateway dead-letters list` without filters shows all dead letters."


def _lines(cells: Cells) -> tuple[Text, str]:
    writes = f"{cells['writes']} {'write' if cells['writes'] == '1' else 'writes'}"
    redriven = f", redriven {cells['redriven']} times" if cells["redriven"] else ""
    return (
        Text.assemble(cells["command"], "  ", cells["cause"], f"  {cells['since']}"),
        f"{cells['type']} of {cells['authorization']}, by {cells['caller']}; {writes}{redriven}",
    )


def _notes(dead_letters: list[models.DeadLetterSummary], page: models.DeadLetterList) -> Iterator[str]:
    """Yield notes below a list: what it omits, and the next verb."""
    if page["matching"] > len(dead_letters):
        yield f"{len(dead_letters)} of {page['matching']}; --limit shows more."
    if left_out := page["leftOut"]:
        yield f"{left_out} older dead letters are not listed: decide about the listed ones, then restart ingress."
    yield f"Next: gateway dead-letters show {dead_letters[0]['commandId']}"


_COLUMNS: Columns[models.DeadLetterSummary] = Columns(
    cells={
        "command": lambda one, _: one["commandId"],
        "type": lambda one, _: short_type(one.get("command", "unrecognised")),
        "authorization": lambda one, _: one.get("authorizationId", "(broken)"),
        "caller": lambda one, _: one.get("caller", "unknown"),
        "cause": lambda one, _: Text(one["cause"], "red" if one["cause"] == "outcome_unknown" else ""),
        "since": lambda one, now: age(one["deadAt"], now),
        "writes": lambda one, _: str(one["writes"]),
        "redriven": lambda one, _: str(one["redrive"] or ""),
    },
    unwrapped={"command", "cause", "since"},
    lines=_lines,
    wide=150,
)
DEAD_LETTERS: Listing[models.DeadLetterList, models.DeadLetterSummary] = Listing(
    entries=lambda page: page["deadLetters"],
    columns=_COLUMNS,
    empty=(
        "There are no dead letters. `gateway top` shows the commands that wait for Collate; "
        "`gateway status COMMAND` shows one command."
    ),
    notes=_notes,
)


def details(dead_letter: models.DeadLetterDetail, original: models.DeadLetterOriginal | None) -> Group:
    """Lay out one dead letter: its facts, the writes that were sent, and the possible decisions."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name in ("commandId", "command", "caller", "authorizationId", "acceptedAt", "deadAt", "cause", "advice"):
        if name in dead_letter:
            facts.add_row(Text(name, "bold"), Text(with_local_times(str(dead_letter[name]))))
    facts.add_row(Text("number", "bold"), Text(f"{dead_letter['redrive']} (redriven {dead_letter['redrive']} times)"))
    if "asks" in dead_letter:
        facts.add_row(Text("content", "bold"), Text(_json(dead_letter["asks"])))
    if original is not None:
        text = _json(original["data"]) if "data" in original else f"not readable; base64: {original['value']}"
        facts.add_row(Text("original", "bold red"), Text(text))
    return Group(facts, Text(""), *_sent(dead_letter), Text(""), *(Text(line) for line in _next(dead_letter)))


def forecast_table(forecasts: Iterable[DryRunResult]) -> Table:
    """Lay out the forecasts of a dry run."""
    rows = ((row["commandId"], row["verdict"], _shown(row.get("atCollate")), row["says"]) for row in forecasts)
    return table_of(("command", "verdict", "at Collate", "description"), rows, {"command"})


def _shown(at: AtCollate | None) -> str:
    """Return what Collate shows of an authorization and its handoff."""
    if at is None:
        return "unknown"
    shown = " ".join((at["status"], *([at["nextAction"]] if "nextAction" in at else [])))
    if handoff := at.get("handoff"):
        shown += f", {handoff['id']} {handoff.get('result') or handoff.get('state') or 'not readable'}"
    return shown


def result_line(result: DecisionResult) -> str:
    """Return the result of one decision on one line."""
    text = {
        "finished": f"{result.get('outcome')}, effect {result.get('effect')}",
        "accepted": "accepted; command.finished will report the outcome, or the command is listed again",
        "dead_lettered": f"dead letter again: {result.get('reason')}",
        "refused": result.get("says"),
        "ended": result.get("says"),
    }[result["result"]]
    is_explained = result["result"] == "finished" and "reason" in result
    explanation = f" ({result['reason']}: {result.get('advice', '')})" if is_explained else ""
    handoff = f", {result['handoffId']}" if "handoffId" in result else ""
    colour = _COLOURS[result["result"]]
    return f"{result['commandId']}  {typer.style(str(text), fg=colour)}{handoff}{explanation}"


def by_cause(dead_letters: Iterable[DeadLetter]) -> str:
    """Count dead letters by cause, in words."""
    causes = Counter(dead_letter["cause"] for dead_letter in dead_letters)
    return ", ".join(f"{count} {cause}" for cause, count in causes.most_common())


def _sent(dead_letter: models.DeadLetterDetail) -> Iterator[Table | Text]:
    if not dead_letter["sent"]:
        yield Text("No write was sent to Collate.")
        return
    rows = Table(
        "n", "write", "handoff", "if-match", "first sent", "ended", "may have arrived", box=None, pad_edge=False
    )
    for write in dead_letter["sent"]:
        rows.add_row(
            str(write["n"]),
            write["operation"],
            write.get("handoffId", ""),
            str(write.get("ifMatch", "")),
            with_local_times(write.get("firstSentAt", "")),
            write.get("ended", "in flight"),
            "yes" if write["mayHaveArrived"] else "no",
        )
    yield rows


def _next(dead_letter: models.DeadLetterDetail) -> Iterator[str]:
    command_id, about = dead_letter["commandId"], f"--number {dead_letter['redrive']} --reason …"
    if dead_letter["canRedrive"]:
        yield f"Forecast a redrive: gateway dead-letters redrive {command_id} --dry-run"
        yield f"Redrive:            gateway dead-letters redrive {command_id} {about}"
    else:
        yield "A redrive is impossible, because the record can't be parsed. The caller must send a new command."
    yield f"Discard:            gateway dead-letters discard {command_id} {about}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
