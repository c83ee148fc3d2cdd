"""The provenance of a build: an in-toto statement with the predicate of SLSA 1.0.

It says which commit and which pinned packages the artifacts were made from. It is not signed here: only the owner has
the key (docs/changing.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Build(NamedTuple):
    """One run of `make release`: times in RFC 3339, `builder` a URI."""

    commit: str
    builder: str
    began: str
    ended: str
    arguments: tuple[str, ...]


def sha256(path: Path) -> str:
    """Return a file's digest in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def statement(build: Build, artifacts: Iterable[Path], sources: Iterable[tuple[str, Path]]) -> dict[str, Any]:
    """Return the statement. `sources` are the files that pin what was installed, each with its name."""
    commit = {"uri": "git+collate-gateway", "digest": {"gitCommit": build.commit}}
    pinned = [{"uri": f"file:{name}", "digest": {"sha256": sha256(path)}} for name, path in sources]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": sha256(path)}} for path in artifacts],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:collate-gateway:make-release:v1",
                "externalParameters": {"commit": build.commit, "arguments": list(build.arguments)},
                "resolvedDependencies": [commit, *pinned],
            },
            "runDetails": {
                "builder": {"id": build.builder},
                "metadata": {"startedOn": build.began, "finishedOn": build.ended},
            },
        },
    }
