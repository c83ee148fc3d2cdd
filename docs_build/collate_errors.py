"""docs/collate-errors.md, made from the router's tables."""

from collections.abc import Sequence

from adapters.collate.errors import (
    DEFAULTS,
    OTHERWISE,
    RETRYABLE,
    RULES,
    SUSPENDED,
    UNKNOWN,
    UNSENT,
    Default,
    Disposition,
    Route,
    Rule,
)

_DISPOSITIONS = {
    Disposition.REJECT: "the command is rejected for good; the caller can act on the advice",
    Disposition.DEAD_LETTER: "neither the caller nor time can fix it: a person must look",
    Disposition.REREAD: "nothing was done: read and decide again; a write that is still needed takes the next n",
    Disposition.RESEND: "the identical request again, later: same key, same If-Match, same bytes",
    Disposition.SUSPEND: "nothing is wrong with the command: the identical request once the budget allows it",
    Disposition.MINT_ANEW: "ask for a new grant, under a new key",
}


def page() -> str:
    """Return the page."""
    lines = [
        "# What we do about Collate's errors",
        "",
        "Made from `adapters/collate/errors.py` by `make docs`; change it there.",
        "",
        "## The moves",
        "",
        *_table(("move", "meaning"), [(f"`{move}`", _DISPOSITIONS[move]) for move in Disposition]),
        "",
        "## By `error.code`",
        "",
        "Every code of `collate-api.md` section 7. The set is open: other codes go by status, below. `retryable: true`",
        "turns a reject or dead letter into `reread` (a read: `resend`). On a read, `reread` means `resend`. After an",
        "ambiguous attempt of the same write, a reject or dead letter means `reread`: the refusal may come from that",
        "attempt's own effect.",
        "",
        *_table(("code", "status", "move", "reason", "advice"), [_rule(rule) for rule in RULES]),
        "",
        "## By status, where the code is unknown",
        "",
        *_table(
            ("status", "write", "read", "reason", "advice"),
            [
                *[_default(", ".join(map(str, default.statuses)), default) for default in DEFAULTS],
                _default("any other 4xx with `retryable: true`, or `Retry-After` and no `retryable`", RETRYABLE),
                _default("any other 4xx", OTHERWISE),
            ],
        ),
        "",
        "`retryable: true` wins over the status, but for 401, 408, 425 and 429.",
        "",
        "## Where there is no definite answer",
        "",
        *_table(
            ("what", "move", "reason", "advice"),
            [
                _fixed("5xx, typed or not; timeout, reset, cut short, not JSON, redirect; untyped 4xx", UNKNOWN),
                _fixed("nothing was sent: no connection, or the budget holds the call", UNSENT),
                _fixed("401, or a 403 that another authorization got too", SUSPENDED),
            ],
        ),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _rule(rule: Rule) -> Sequence[str]:
    move = f"`{rule.disposition}`"
    others = sorted({other.value for other in rule.on.values()})
    if others:
        where = " and ".join(f"`{other}`" for other in others)
        move += f" (elsewhere {where})"
    return f"`{rule.code}`", ", ".join(map(str, rule.statuses)), move, f"`{rule.reason}`", rule.advice


def _fixed(what: str, found: Route) -> Sequence[str]:
    return what, f"`{found.disposition}`", f"`{found.reason}`", found.advice


def _default(statuses: str, default: Default) -> Sequence[str]:
    return statuses, f"`{default.write}`", f"`{default.read}`", f"`{default.reason}`", default.advice


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
