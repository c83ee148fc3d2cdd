"""Which handoffs an observation reads: those that the decision needs, and no other."""

import pytest

from adapters.collate.answers import Answered
from consumers.authorization.facts import Observed
from consumers.authorization.observation import observe
from consumers.authorization.state import NEW, Handoff, Known
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff


class Reads:
    """Collate with every handoff; notes the handoffs that are read."""

    def __init__(self, pointer, version):
        wire = {"id": "auth_1", "version": version, "status": "processing"}
        if pointer:
            wire["activeManualHandoff"] = {"id": pointer}
        self._authorization = PriorAuthorization.model_validate(wire)
        self.handoffs = []

    async def get_authorization(self, authorization_id):
        return Answered(200, self._authorization, b"{}")

    async def get_handoff(self, authorization_id, handoff_id):
        self.handoffs.append(handoff_id)
        return Answered(200, ManualHandoff(id=handoff_id, version=1, state="active"), b"{}")


def state_with(active=None, *, access=True, ended=()):
    handoff = active and Handoff(id="mh", state=active, open_version=5, access_available=access)
    return NEW.replace(active=handoff, floor=5, known=Known(version=5, status="processing"), ended=ended)


async def read_by(state, pointer=None, *, version=5, **more):
    reads = Reads(pointer, version)
    observed = await observe(reads, "auth_1", state, **more)
    assert isinstance(observed, Observed)
    assert [handoff.id for handoff in observed.handoffs] == reads.handoffs
    return reads.handoffs


@pytest.mark.parametrize(
    ("active", "pointer", "also", "expected"),
    [
        (None, None, None, []),
        (None, "mh", None, ["mh"]),
        (None, None, "mh", ["mh"]),
        (None, "mh", "mh", ["mh"]),
        (None, "mh", "other", ["mh", "other"]),
        ("active", "mh", None, []),
        ("active", "mh", "mh", []),
        ("active", "mh", "other", ["other"]),
        ("active", None, None, ["mh"]),
        ("active", "other", None, ["mh", "other"]),
        ("closing", "mh", None, ["mh"]),
        ("closing", "mh", "mh", ["mh"]),
    ],
)
async def test_a_command_reads_the_handoffs_that_it_needs(active, pointer, also, expected):
    assert await read_by(state_with(active), pointer, also=also) == expected


async def test_a_thorough_read_includes_the_open_handoff():
    assert await read_by(state_with("active"), "mh", thorough=True) == ["mh"]
    assert await read_by(state_with("active"), "mh", also="mh", thorough=True) == ["mh"]
    assert await read_by(state_with("active", access=False), "mh", version=6, thorough=True) == ["mh"]


async def test_a_handoff_that_has_ended_is_read_only_if_a_command_names_it():
    assert await read_by(state_with(ended=("mh",)), "mh") == []
    assert await read_by(state_with(ended=("mh",)), "mh", also="mh") == ["mh"]


async def test_below_the_highest_version_no_handoff_is_read():
    assert await read_by(state_with(), "mh", version=4, also="mh", thorough=True) == []
    assert await read_by(state_with(), "mh", version=5) == ["mh"]
