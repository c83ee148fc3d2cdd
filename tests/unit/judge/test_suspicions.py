"""A suspected double effect is explained by the effects at Collate."""

import json

import pytest

from adapters.collate.operations import Operation, write_key
from local.judge import suspicions
from local.judge.recorded import CollateEffect, Evidence, SeenCommand

COMMAND = "10000000-0000-4000-8000-000000000000"


def created(version, n=1, authorization="a"):
    key = write_key(COMMAND, Operation.CREATE_HANDOFF, n)
    return CollateEffect("handoff_opened", version, f"mhand_{version}", "client", key, None, authorization, version)


def edited(version, authorization="a"):
    return CollateEffect("edited", version, None, "customer", None, None, authorization, version)


def suspected(event=suspicions.EVENT):
    fields = {"event": event, "authorization_id": "a", "command_id": COMMAND, "if_match": 3, "version": 5}
    return json.dumps(fields, separators=(",", ":"))


@pytest.mark.parametrize(
    ("effects", "explanation"),
    [
        ([created(4), edited(5)], suspicions.ANOTHER_CHANGE),
        ([edited(4), created(5)], suspicions.ANOTHER_CHANGE),
        ([created(4), created(5, n=2)], suspicions.SEVERAL),
        ([edited(3), created(5), edited(6)], suspicions.NO_OTHER_CHANGE),
        ([created(5), edited(4, authorization="b")], suspicions.NO_OTHER_CHANGE),
        ([edited(5)], suspicions.NO_EFFECT),
    ],
)
def test_a_suspicion_is_explained_by_the_effects_between_the_two_versions(effects, explanation):
    run = Evidence([SeenCommand(COMMAND, "a", "handoff.request")], [], effects)
    lines = ["not json", suspected("command.finished"), suspected()]
    assert suspicions.explain(lines, run) == {explanation: 1}
