"""The table of pages and states that a browser walks is complete, and its refusals are problems of the API."""

import httpx
import pytest

from gateway.ingress.api_http.api_problems import every_problem
from schemas.api.operations import OPERATIONS
from tests.browser.cells import CELLS, PAGES, REFUSALS, STATES

STATUSES = {one.id: {*one.problems, *one.answers} for one in OPERATIONS}
SLUGS = {kind.slug: kind.status for kind in every_problem()}


def test_each_page_has_each_state_and_each_refusal_that_its_operations_can_answer():
    refused = {
        (page, status)
        for page, operations in PAGES.items()
        for status in REFUSALS
        if any(status in STATUSES[operation] for operation in operations)
    }
    assert set(CELLS) == {(page, state) for page in PAGES for state in STATES} | refused


@pytest.mark.parametrize(("page", "state"), [key for key in CELLS if key[1] in REFUSALS])
def test_a_refusal_is_a_problem_of_the_api_or_a_missing_permission(page, state):
    cell = CELLS[page, state]
    answers = [answer for answer in cell.answers.values() if isinstance(answer, httpx.Response)]
    found = {answer.json()["type"].rpartition(":")[2]: answer.status_code for answer in answers}
    assert {slug: SLUGS[slug] for slug in found} == found
    assert state in found.values() or len(cell.permissions) < len(CELLS["work list", "empty"].permissions)
