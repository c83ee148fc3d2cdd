"""The review snapshot as a reviewer reads it: warnings first, known parts as tables, everything else as a tree.

Pure. The snapshot is Collate's (docs/collate-contract.md §3). A field that this gateway does not know is shown too.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from console.views.content import (
    Content,
    ShownGrid,
    ShownPart,
    ShownTree,
    ShownValue,
    content,
    field_name,
    is_single,
    nodes,
    part,
    single,
)
from console.views.json_values import JsonObject, NumberText, is_list, is_object
from schemas.collate.authorization import SnapshotRefusal, snapshot_refusal
from schemas.times import parse_time

_HEAD: Final = ("id", "status", "kind", "generatedAt")
_PARTS: Final = ("summary", "answers", "questionnaireResponse", "attachments", "covers")
_ADDRESSES: Final = ("liveSessionEndpoint", "liveViewUrl")


@dataclass(frozen=True, slots=True)
class ShownSnapshot:
    """A snapshot. `others` holds the fields without a place of their own; `refusal` is None if it may be accepted.

    `payer` is the payer's name, if the summary has it.
    """

    id: str
    status: str | None
    kind: str | None
    generated_at: str | None
    version: str
    warnings: Content | None
    parts: tuple[ShownPart, ...]
    others: ShownTree | None
    refusal: SnapshotRefusal | None
    payer: str | None = None

    @property
    def is_dated(self) -> bool:
        """Whether `generated_at` is a time."""
        try:
            return self.generated_at is not None and parse_time(self.generated_at).tzinfo is not None
        except ValueError:
            return False


def shown_snapshot(review: JsonObject) -> ShownSnapshot:
    """Return the snapshot of an answer of `GET …/review-snapshot`, parsed by `document_of`."""
    snapshot = review["reviewSnapshot"]
    if not is_object(snapshot):
        raise ValueError("a review snapshot is an object")
    warnings = snapshot.get("warnings")
    known = {*_HEAD, *_PARTS} | ({"warnings"} if is_list(warnings) else set())
    summary = snapshot.get("summary")
    payer = summary.get("payer") if is_object(summary) else None
    rest = {name: value for name, value in snapshot.items() if name not in known}
    if is_object(transparency := rest.pop("transparency", None)) and (shown := _without_addresses(transparency)):
        rest["transparency"] = shown
    return ShownSnapshot(
        id=str(snapshot["id"]),
        status=_text(snapshot.get("status")),
        kind=_text(snapshot.get("kind")),
        generated_at=_text(snapshot.get("generatedAt")),
        version=str(review["version"]),
        warnings=content(warnings) if is_list(warnings) else None,
        parts=tuple(_known_part(name, snapshot[name]) for name in _PARTS if name in snapshot),
        others=ShownTree(nodes(rest)) if rest else None,
        refusal=snapshot_refusal(review.get("coversReviewSnapshotId"), snapshot["id"], snapshot.get("status")),
        payer=payer if isinstance(payer, str) else None,
    )


def _known_part(name: str, value: object) -> ShownPart:
    if name in {"answers", "questionnaireResponse"} and (answers := _answers(value)) is not None:
        return ShownPart(name, answers)
    return part(name, value)


def _answers(value: object) -> ShownGrid | None:
    """Return a FHIR questionnaire response as a table; None if the table would not show all of it."""
    if not is_object(value) or set(value) != {"item"}:
        return None
    rows: list[tuple[ShownValue | None, ...]] = []
    if not _read_items(value["item"], rows, 0) or not rows:
        return None
    if all(row[1] is None for row in rows):
        return ShownGrid(("question", "answer"), tuple((row[0], row[2]) for row in rows))
    return ShownGrid(("question", "text", "answer"), tuple(rows))


def _read_items(items: object, rows: list[tuple[ShownValue | None, ...]], depth: int) -> bool:
    """Append a row for each item, nested ones after their parent. Return whether all of them were read."""
    if not is_list(items) or depth > 8:
        return False
    for item in items:
        if not is_object(item) or not {"linkId"} <= set(item) <= {"linkId", "text", "answer", "item"}:
            return False
        answers = item.get("answer", [])
        if not is_list(answers):
            return False
        texts = [text for answer in answers if (text := _answer_text(answer)) is not None]
        if len(texts) != len(answers):
            return False
        rows.append(
            (
                single(item["linkId"]),
                single(item["text"]) if "text" in item else None,
                ShownValue("; ".join(texts)) if texts else None,
            )
        )
        if "item" in item and not _read_items(item["item"], rows, depth + 1):
            return False
    return True


def _answer_text(answer: object) -> str | None:
    """Return the text of an answer that has one value, and nothing else; None for any other."""
    if not is_object(answer) or len(answer) != 1:
        return None
    ((name, value),) = answer.items()
    if not name.startswith("value"):
        return None
    if is_single(value):
        return single(value).text
    if is_object(value) and all(is_single(item) for item in value.values()):
        return ", ".join(f"{field_name(name)} {single(each).text}" for name, each in value.items())
    return None


def _without_addresses(transparency: JsonObject) -> JsonObject:
    """Drop the addresses: they lead into a live session, and no page has a way into one."""
    return {name: value for name, value in transparency.items() if name not in _ADDRESSES and not _is_link(value)}


def _is_link(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, NumberText) and bool(urlsplit(value).scheme)


def _text(value: object) -> str | None:
    return None if value is None else single(value).text
