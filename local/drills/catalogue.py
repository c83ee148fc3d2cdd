"""What a drill is, and every drill, by name, in the order of `make drill ARGS=--list`."""

from typing import Final, Protocol

from local.drills.broker_lost import BrokerLost
from local.drills.collate_down import CollateDown
from local.drills.database_lost import DatabaseLost
from local.drills.from_nothing import FromNothing
from local.drills.key_rotated import KeyRotated
from local.drills.poison import Poison
from local.drills.scene import DrillScene
from local.drills.upgrade import Upgrade
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup


class Drill(Protocol):
    """A drill. `run` tells the story and returns what was broken beyond the judge's own rules."""

    name: str
    breaks: str
    must_hold: str
    seconds: float
    needs: Setup

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break it, show what is seen, mend it, and check what must hold."""


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
