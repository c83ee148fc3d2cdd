"""What a verb needs of this machine: root, and programs of Debian packages. Missing things are named all at once."""

import os
import shutil
from collections.abc import Mapping, Sequence

from local.failures import NotPossible


def require(verb: str, programs: Mapping[str, str], *, others: Sequence[str] = ()) -> None:
    """Raise NotPossible if this user is not root or a program is missing. `programs`: its Debian package by program.

    `others` are sentences about further things that are missing.
    """
    missing = sorted({package for program, package in programs.items() if shutil.which(program) is None})
    lines = []
    if os.geteuid() != 0:
        lines.append("- root, because it mounts file systems and changes to other users")
    if missing:
        lines.append(f"- programs of Debian 12: apt-get install --no-install-recommends {' '.join(missing)}")
    lines += [f"- {sentence}" for sentence in others]
    if lines:
        raise NotPossible("\n".join([f"`{verb}` cannot run here. It needs:", *lines]))
