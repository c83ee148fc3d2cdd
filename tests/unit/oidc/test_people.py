import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.oidc.people import MOST_NAME_CHARACTERS, Person, PersonClaims, read_person
from adapters.oidc.tokens import Issuer, Subject, Tokens
from schemas.callers import asserted_by, caller_of_person
from schemas.enums import AssertedBy
from schemas.fields.visible_text import is_visible_line
from tests.unit.oidc.test_tokens import AUDIENCE, ISSUER, NOW, RSA, published, token

CLAIMS = PersonClaims("preferred_username", "groups", frozenset({"staff", "on-call"}))
PREFIXES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", fullmatch=True)
NAMES = st.text(min_size=1, max_size=MOST_NAME_CHARACTERS)


def person(name="jo.miller", groups=("staff",)):
    claims = {"preferred_username": name, "groups": list(groups) if isinstance(groups, tuple) else groups}
    return read_person(claims, CLAIMS, ISSUER)


def test_a_person_has_a_name_and_the_known_groups():
    assert person(groups=("staff", "golf", "on-call")) == Person("jo.miller", frozenset({"staff", "on-call"}))


@pytest.mark.parametrize(
    "name",
    ["", " ", " jo", "jo ", "jo\u00a0", "jo\u202e", "jo\u009b31m", "jo\n", "jo\x00", "jo\ud800", "\u200bjo", "x" * 96,
     None, 7, True, ["jo"], {"jo": 1}],
)  # fmt: skip
def test_an_unusable_name_is_nobody(name):
    assert person(name) is None


@pytest.mark.parametrize("name", ["jo.miller", "jo.miller@example.com", "Jo Miller", "Ünal Öz", "people:jo", "x" * 95])
def test_a_name_is_kept_as_the_issuer_has_it(name):
    assert person(name).name == name


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("staff", {"staff"}),
        ("staff on-call", set()),
        ("staff,on-call", set()),
        ("unstaffed", set()),
        (["staff", 7, None, ["on-call"]], {"staff"}),
        ({"staff": True}, set()),
        (["Staff", "STAFF", "staff "], set()),
        (None, set()),
        (7, set()),
        ("", set()),
    ],
)
def test_only_whole_known_groups_count(groups, expected):
    assert person(groups=groups).groups == expected


@given(NAMES)
def test_a_usable_name_is_visible_and_fits_into_a_callers_name(name):
    found = person(name)
    if found is not None:
        assert is_visible_line(found.name)
        assert found.name == name == name.strip()
        assert len(caller_of_person("x" * 32, found.name)) <= 128


@given(PREFIXES, NAMES, PREFIXES, NAMES)
def test_two_people_never_have_the_same_name_as_callers(prefix, name, other_prefix, other_name):
    same = caller_of_person(prefix, name) == caller_of_person(other_prefix, other_name)
    assert same == ((prefix, name) == (other_prefix, other_name))


@given(PREFIXES, NAMES)
def test_a_persons_name_as_a_caller_shows_that_it_is_a_person(prefix, name):
    assert asserted_by(caller_of_person(prefix, name)) is AssertedBy.PERSON
    assert asserted_by(prefix) is AssertedBy.CALLER


async def test_a_token_has_a_person_only_for_an_issuer_of_people():
    claims = {"preferred_username": "jo.miller", "groups": ["staff"]}
    for people, expected in ((CLAIMS, Person("jo.miller", frozenset({"staff"}))), (None, None)):
        issuer = Issuer(ISSUER, AUDIENCE, frozenset({"RS256"}), "https://login.example/jwks.json", people)
        subject = await Tokens(lambda found=issuer: {ISSUER: found}, lambda _: published(RSA), lambda: NOW).subject(
            token(claims)
        )
        assert (subject, subject.person) == (Subject(ISSUER, "scheduling"), expected)


def test_a_rejected_name_is_logged_without_the_name():
    with capture_logs() as entries:
        assert person("jo\u202e") is None
    assert [entry["event"] for entry in entries] == ["oidc.person_rejected"]
    assert "jo" not in json.dumps(entries)
