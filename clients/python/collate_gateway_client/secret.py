"""A text that no representation shows."""

from typing import Any, NoReturn, final


@final
class SecretText:
    """A secret, such as the link into a payer session. Only `reveal()` returns it: pass it on, and store it nowhere.

    `str`, `repr`, formatting and logging show asterisks. It cannot be pickled or copied into JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a SecretText cannot be pickled")
