"""The base of all commands."""

from abc import abstractmethod
from typing import ClassVar

from schemas.callers import person_of
from schemas.enums import CommandType, short_type
from schemas.model import Message
from schemas.sentences import bounded, in_words, people


class Command(Message):
    """The data of a command."""

    TYPE: ClassVar[CommandType]

    def identity(self) -> bytes:
        """Return what a repeat of the command has too: type and data. Two types can have the same (empty) data."""
        return b"%s\n%s" % (self.TYPE.encode(), self.to_json())


class ShownCommand(Command):
    """A command that a timeline shows. Of the others it shows the events."""

    def sentence(self, caller: str) -> str:
        """Describe the command of this caller, from public fields only."""
        return bounded(self._sentence(caller))

    @abstractmethod
    def _sentence(self, caller: str) -> str: ...

    def _sent(self, caller: str, what: str, **names: str | None) -> str:
        """Say that the caller sent the command. A person's own name is that of the caller."""
        staff = people(**names) if person_of(caller) is None else ""
        return f"{caller} sent the {in_words(short_type(self.TYPE))}{what}{staff}."
