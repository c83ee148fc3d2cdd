"""The golden values must never change: callers and subscribers store these ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import identity
from schemas.enums import CommandType
from schemas.identity import NAMESPACE, canonical_json, canonical_list

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"


def test_the_namespace_is_fixed():
    assert str(NAMESPACE) == "5e4a7fe3-e166-4ba3-ad08-99a62eeb09e5"


@pytest.mark.parametrize(
    ("derive", "parts", "golden"),
    [
        ("command_id_from_key", ("intake", "auth_7Q2M", "req-1"), "35808bdd-c05a-5575-9bca-12436e83c3dc"),
        ("command_id_from_key", ("intake", "auth_7Q2M", 'clé "1"'), "db71ff53-a946-5ba9-884b-bb33b4b25664"),
        (
            "command_id_from_cloudevent",
            ("intake", "auth_7Q2M", "/intake", "evt-1"),
            "513862b1-55c7-56d2-9be9-16338d41675d",
        ),
        ("event_id", ("auth_7Q2M", 1_780_409_161_250, 1), "3c717c46-2bf6-50a0-b6ee-2100f9d3b542"),
        ("state_id", ("auth_7Q2M", 1_780_409_161_250, 1), "246f190f-d27a-50c4-8545-e4a30d0f3308"),
        ("dead_letter_ended_id", (COMMAND, 1), "c2913bf9-6d16-57da-984e-fec11add5798"),
        ("dead_letter_id", (COMMAND, 0), "81d1d207-b328-50bf-9e62-bc6197b5b40e"),
        ("request_id", ("redrive", COMMAND, 1), "dc232422-5f8e-57a3-a5cb-56231845959a"),
    ],
)
def test_golden_ids(derive, parts, golden):
    assert getattr(identity, derive)(*parts) == golden


@pytest.mark.parametrize(
    ("value", "golden"),
    [
        ({"b": 1, "a": [True, None, "é", 'q"']}, b'{"a":[true,null,"\xc3\xa9","q\\""],"b":1}'),
        (["key", "intake", "auth_7Q2M", "req-1"], b'["key","intake","auth_7Q2M","req-1"]'),
        ({}, b"{}"),
    ],
)
def test_golden_canonical_json(value, golden):
    assert canonical_json(value) == golden


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_a_value_without_canonical_json_is_rejected(value):
    with pytest.raises(ValueError, match=r".+"):
        canonical_json([value])


def test_half_a_character_makes_no_list():
    with pytest.raises(ValueError, match=r".+"):
        canonical_list(["\ud800"])


@given(st.lists(st.text() | st.integers() | st.sampled_from(CommandType) | st.booleans()))
def test_a_list_has_the_same_canonical_json_at_a_lower_cost(parts):
    assert canonical_list(parts) == canonical_list(tuple(parts)) == canonical_json(parts)


def test_different_parts_never_give_the_same_id():
    ids = {
        identity.command_id_from_key("a", "b", "c"),
        identity.command_id_from_key("ab", "", "c"),
        identity.command_id_from_key("a", "b,c", ""),
        identity.command_id_from_key('a","b', "c", ""),
        identity.command_id_from_cloudevent("a", "b", "c", ""),
        identity.event_id("a", 11, 1),
        identity.event_id("a1", 1, 1),
        identity.event_id("a", 1, 11),
        identity.event_id("a", 11, 2),
        identity.state_id("a", 11, 1),
    }
    assert len(ids) == 10
