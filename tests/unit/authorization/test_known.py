"""Two reads of one version: the reading that a person must know more of stays, whichever comes first."""

from itertools import combinations

import pytest

from consumers.authorization.facts import VersionFloorSet
from consumers.authorization.known import merged
from consumers.authorization.reducer import reduce
from consumers.authorization.state import NEW, Known

ACTION = "complete_payer_interaction"
LEAST_TO_MOST = [
    Known(version=5, status="a_new_word"),
    Known(version=5, status="processing"),
    Known(version=5, status="waiting_on_payer"),
    Known(version=5, status="requires_action"),
    Known(version=5, status="requires_action", action="a_new_action"),
    Known(version=5, status="requires_action", action=ACTION),
    Known(version=5, status="completed"),
]


@pytest.mark.parametrize(("less", "more"), list(combinations(LEAST_TO_MOST, 2)))
def test_the_reading_of_the_higher_precedence_stays(less, more):
    assert merged(less, more) == more
    assert merged(more, less) == more


def test_completed_and_canceled_do_not_replace_each_other():
    completed, canceled = Known(version=5, status="completed"), Known(version=5, status="canceled")
    assert merged(completed, canceled) == completed
    assert merged(canceled, completed) == canceled


@pytest.mark.parametrize(("version", "whole"), [(4, True), (5, True), (6, False)])
def test_a_lower_version_floor_doubts_only_what_is_known_of_higher_versions(version, whole):
    state, _ = reduce(NEW.replace(floor=9, known=Known(version=version, status="processing")), VersionFloorSet(5), 0.0)
    assert state.floor == 5
    assert state.known == Known(version=min(version, 5), status="processing", whole=whole)
