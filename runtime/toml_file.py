"""A TOML file of a running process, with the files that it names. An invalid version is ignored as a whole."""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.file_watcher import FileWatcher
from schemas.fields.signing_secret import MIN_SECRET_BYTES, SecretInvalid, read_secret

Parsed = TypeVar("Parsed", bound=BaseModel)
InForce = TypeVar("InForce")


class TomlInvalid(Exception):
    """The file, or one that it names, is invalid. The message lists every problem and shows no value of a file."""


def parse(model: type[Parsed], content: bytes) -> Parsed:
    """Return the content as the model. Raises TomlInvalid."""
    try:
        return model.model_validate(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise TomlInvalid("expected TOML in UTF-8") from None
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, detail['loc'])) or 'file'}: {detail['msg']}"
            for detail in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise TomlInvalid("; ".join(problems)) from None


def read_file(path: Path) -> bytes:
    """Return the content of the file. Raises TomlInvalid."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TomlInvalid(f"can't be read: {error.strerror}") from None


def signing_secret(path: Path) -> bytes:
    """Return the secret of Standard Webhooks in a file. Raises TomlInvalid."""
    try:
        return read_secret(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TomlInvalid(f"{path}: can't be read: {error.strerror}") from None
    except (SecretInvalid, UnicodeDecodeError):
        raise TomlInvalid(f"{path}: expected whsec_ and the base64 of at least {MIN_SECRET_BYTES} bytes") from None


class TomlFile(Generic[Parsed, InForce]):
    """The file and its last valid version. An invalid file leaves `current` unchanged and sets `problem`."""

    def __init__(
        self,
        path: Path,
        model: type[Parsed],
        *,
        files: Callable[[Parsed], Iterable[Path]],
        make: Callable[[Parsed], InForce],
    ) -> None:
        """Read the file. `files`: the files that it names, `make`: what follows from both. Raises TomlInvalid."""
        self._path, self._model, self._files, self._make = path, model, files, make
        self._watcher = FileWatcher(path)
        self._watcher.changed()
        self.current = self._read()
        self.problem: str | None = None

    def reread_if_changed(self) -> bool:
        """Read the file and those that it names if one of them has changed. Return whether `current` is new."""
        if not self._watcher.changed():
            return False
        try:
            self.current = self._read()
        except TomlInvalid as error:
            self.problem = str(error)
            return False
        self.problem = None
        return True

    def _read(self) -> InForce:
        """A rejected file is read again when it, or a file that it names, changes."""
        self._watcher.mark_read()
        parsed = parse(self._model, read_file(self._path))
        self._watcher.watch(self._path, *self._files(parsed))
        self._watcher.mark_read()
        return self._make(parsed)
