"""Dead letters for people: tables, pages and sentences."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.formatting import stacked
from schemas.enums import PREFIX
from schemas.times import parse_time

Json = dict[str, Any]
_WIDE = 150
_COLOURS = {"finished": "green", "accepted": "blue", "dead_lettered": "red", "refused": "red"}


def nothing(*, is_filtered: bool) -> str:
    """Say that there is nothing, and where to look next."""
    if is_filtered:
        return "No such command waits for a person. `gateway dead-letters list` without filters shows all that do."
    return (
        "No command waits for a person. What still waits for Collate, and why: `gateway top`; "
        "what became of one: `gateway status COMMAND`."
    )


def table_of(letters: Iterable[Json], now: datetime, width: int) -> Table | Group:
    """Lay a list out."""
    if width < _WIDE:
        return Group(*(part for letter in letters for part in _lines_of(letter, now)))
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("command", "type", "authorization", "caller", "cause", "since", "writes", "redriven"):
        rows.add_column(column, no_wrap=column in {"command", "cause", "since"}, overflow="fold")
    for letter in letters:
        rows.add_row(
            letter["commandId"],
            _type(letter),
            letter.get("authorizationId", "(broken)"),
            letter.get("caller", "unknown"),
            _cause(letter),
            _age(letter["deadAt"], now),
            str(letter["writes"]),
            str(letter["redrive"] or ""),
        )
    return rows


def _lines_of(letter: Json, now: datetime) -> list[RenderableType]:
    redriven = f", redriven {letter['redrive']} times" if letter["redrive"] else ""
    return stacked(
        Text.assemble(letter["commandId"], "  ", _cause(letter), f"  {_age(letter['deadAt'], now)}"),
        f"{_type(letter)} of {letter.get('authorizationId', '(broken)')}, by {letter.get('caller', 'unknown')}; "
        f"{_writes(letter)}{redriven}",
    )


def _cause(letter: Json) -> Text:
    return Text(letter["cause"], "red" if letter["cause"] == "outcome_unknown" else "")


def after_the_list(letters: list[Json], matching: int, left_out: int) -> Iterator[str]:
    """Say what is not in a list, and what to do with what is."""
    if matching > len(letters):
        yield f"{len(letters)} of {matching}; --limit shows more."
    if left_out:
        yield f"{left_out} older ones are too many to be kept track of: decide these, then restart ingress."
    yield f"Next: gateway dead-letters show {letters[0]['commandId']}"


def page_of(letter: Json, original: Json | None) -> Group:
    """Lay one out: the facts, what was sent, and what can be done."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name in ("commandId", "command", "caller", "authorizationId", "acceptedAt", "deadAt", "cause", "advice"):
        if name in letter:
            facts.add_row(Text(name, "bold"), Text(str(letter[name])))
    if letter["redrive"]:
        facts.add_row(Text("redriven", "bold"), Text(f"{letter['redrive']} times"))
    if "asks" in letter:
        facts.add_row(Text("asks", "bold"), Text(_json(letter["asks"])))
    if original is not None:
        shown = original.get("data")
        told = _json(shown) if shown is not None else f"not readable; base64: {original['value']}"
        facts.add_row(Text("original", "bold red"), Text(told))
    return Group(facts, Text(""), *_sent(letter), Text(""), *(Text(line) for line in _next(letter)))


def forecast_table(found: Iterable[Json]) -> Table:
    """Lay out what would happen."""
    rows = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("command", "verdict", "at Collate", "in words"):
        rows.add_column(column, no_wrap=column == "command", overflow="fold")
    for one in found:
        at = one.get("atCollate") or {}
        handoff = at.get("handoff")
        shown = " ".join(str(at[name]) for name in ("status", "nextAction") if name in at) or "unknown there"
        if handoff:
            shown += f", {handoff['id']} {handoff.get('result') or handoff.get('state') or 'not readable'}"
        rows.add_row(one["commandId"], one["verdict"], shown, one["says"])
    return rows


def tell(told: Json) -> None:
    """Say how one decision went, on a line."""
    result = told["result"]
    words = {
        "finished": f"{told.get('outcome')}, effect {told.get('effect')}",
        "accepted": "asked for; its command.finished tells the outcome, or it is listed again",
        "dead_lettered": f"given up again: {told.get('reason')}",
        "refused": told.get("says"),
    }[result]
    more = f" ({told['reason']}: {told.get('advice', '')})" if result == "finished" and "reason" in told else ""
    handoff = f", {told['handoffId']}" if "handoffId" in told else ""
    typer.echo(f"{told['commandId']}  {typer.style(str(words), fg=_COLOURS[result])}{handoff}{more}")


def by_cause(letters: Iterable[Json]) -> str:
    """Count letters by cause."""
    causes = Counter(letter["cause"] for letter in letters)
    return ", ".join(f"{count} {cause}" for cause, count in causes.most_common())


def _sent(letter: Json) -> Iterator[Table | Text]:
    if not letter["sent"]:
        yield Text("Nothing that may change anything was sent to Collate.")
        return
    rows = Table(
        "n", "write", "handoff", "if-match", "first sent", "ended", "may have arrived", box=None, pad_edge=False
    )
    for write in letter["sent"]:
        rows.add_row(
            str(write["n"]),
            write["operation"],
            write.get("handoffId", ""),
            str(write.get("ifMatch", "")),
            write.get("firstSentAt", ""),
            write.get("ended", "in flight"),
            "yes" if write["mayHaveArrived"] else "no",
        )
    yield rows


def _next(letter: Json) -> Iterator[str]:
    command_id = letter["commandId"]
    if letter["canRedrive"]:
        yield f"What would a redrive do?  gateway dead-letters redrive {command_id} --dry-run"
        yield f"Try it again:             gateway dead-letters redrive {command_id} --reason …"
    else:
        yield "It can't be tried again: its record can't be read. Its caller must ask anew."
    yield f"Give it up:               gateway dead-letters discard {command_id} --reason …"


def _type(letter: Json) -> str:
    return str(letter.get("command", "unrecognised")).removeprefix(PREFIX).removesuffix(".v1")


def _age(at: str, now: datetime) -> str:
    seconds = max(0, int((now - parse_time(at)).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _writes(letter: Json) -> str:
    return f"{letter['writes']} {'write' if letter['writes'] == 1 else 'writes'}"
