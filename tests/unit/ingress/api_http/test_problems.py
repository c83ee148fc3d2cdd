import json
import re

import pytest

from gateway.ingress.api_http.api_problems import Unauthenticated, every_problem
from runtime.http_server.problem import Fault, Problem
from schemas.api.messages import ProblemDetails

EVERY = every_problem()


def make(kind):
    return kind() if kind is Unauthenticated else kind("Do this.")


@pytest.mark.parametrize("kind", EVERY)
def test_every_problem_matches_the_published_model(kind):
    problem = ProblemDetails.from_caller(make(kind).body("abc"))
    assert problem.status == kind.status
    assert problem.title
    assert not problem.title.endswith(".")
    assert re.fullmatch(r"urn:collate-gateway:problem:[a-z0-9-]+", problem.type)


def test_no_two_problems_share_a_slug():
    assert len({kind.slug for kind in EVERY}) == len(EVERY)


def test_a_fault_has_exactly_one_location():
    body = Problem("Do this.", faults=(Fault("a word", pointer="/a"), Fault("once", header="Host"))).body("abc")
    assert json.loads(body)["errors"] == [
        {"pointer": "/a", "detail": "a word"},
        {"header": "Host", "detail": "once"},
    ]


@pytest.mark.parametrize(("seconds", "expected"), [(0.01, "1"), (1, "1"), (1.2, "2"), (60, "60")])
def test_retry_after_is_at_least_one_whole_second(seconds, expected):
    assert Problem("Wait.", retry_after_seconds=seconds).headers()["retry-after"] == expected
