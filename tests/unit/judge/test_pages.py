import pytest

from local.judge.pages import Moment, PageStatement, wrong_pages

WAITS = Moment(100.0, "requires_action", "complete_payer_interaction", None)
OPEN = Moment(110.0, "processing", None, "mhand_1")
DONE = Moment(120.0, "completed", None, None)
HISTORY = {"auth_1": [WAITS, OPEN, DONE]}


@pytest.mark.parametrize(
    ("step", "handoff", "named", "answered", "is_wrong"),
    [
        ("open", None, 101, 102, False),
        ("review", None, 109, 115, False),  # true when it was read, false when it arrived
        ("open", None, 112, 115, True),  # the handoff was open all the time
        ("session", "mhand_1", 112, 113, False),
        ("session", "mhand_1", 119, 130, False),
        ("session", "mhand_1", 122, 130, True),
        ("session", "mhand_2", 112, 113, True),
        ("closing", "mhand_1", 105, 111, False),
        ("settled", None, 112, 113, True),
        ("settled", None, 112, 121, False),
        ("wait", None, 112, 113, True),
        ("opening", None, 112, 113, False),  # speaks of the gateway's own work
    ],
)
def test_a_page_is_wrong_if_it_was_false_from_its_time_to_its_response(step, handoff, named, answered, is_wrong):
    said = PageStatement("auth_1", step, handoff, named, answered)
    assert bool(wrong_pages([said], HISTORY)) is is_wrong


def test_a_time_in_whole_seconds_is_the_second_that_it_names():
    said = PageStatement("auth_1", "open", None, 110.9, 115.0)
    assert wrong_pages([said], HISTORY) == []
