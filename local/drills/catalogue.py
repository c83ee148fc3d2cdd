"""Every drill, by name, in the order of `gateway drill --list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.drills.broker_lost import BrokerLost
from local.drills.collate_down import CollateDown
from local.drills.database_lost import DatabaseLost
from local.drills.from_nothing import FromNothing
from local.drills.key_rotated import KeyRotated
from local.drills.poison import Poison
from local.drills.upgrade import Upgrade

if TYPE_CHECKING:
    from local.drills.drill import Drill

_ALL: Final[tuple[Drill, ...]] = (
    BrokerLost(),
    CollateDown(),
    Poison(),
    DatabaseLost(),
    KeyRotated(),
    Upgrade(),
    FromNothing(),
)
DRILLS: Final = {drill.name: drill for drill in _ALL}
