"""The extension `sequence`: the number of an event of its authorization, as text."""

from schemas.cloudevents.envelope import Envelope

# The extension `sequence` has this many digits, so that its texts and its numbers have the same order.
SEQUENCE_DIGITS = 20


def sequence_text(number: int) -> str:
    """Return the extension `sequence`. CloudEvents orders it as text, so it has leading zeros."""
    return f"{number:0{SEQUENCE_DIGITS}d}"


def sequence_number(envelope: Envelope) -> int | None:
    """Return the number in the extension `sequence`; None if it is not a number with all digits."""
    text = envelope.extensions.get("sequence", "")
    # PostgreSQL's bigint has 18 digits and a bit.
    is_number = text.isascii() and text.isdigit() and len(text) == SEQUENCE_DIGITS and len(text.lstrip("0")) <= 18
    return int(text) if is_number else None
