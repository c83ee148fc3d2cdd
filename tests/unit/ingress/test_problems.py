import json
import re

import pytest

from gateway.ingress.http.problem import Fault, Problem
from gateway.ingress.http.problems import Unauthenticated, every_problem
from schemas.api.messages import ProblemDetails

EVERY = every_problem()


def make(kind):
    return kind() if kind is Unauthenticated else kind("Do this.")


@pytest.mark.parametrize("kind", EVERY)
def test_every_problem_is_what_the_published_model_says(kind):
    problem = ProblemDetails.from_caller(make(kind).body("abc"))
    assert problem.status == kind.status
    assert problem.title
    assert not problem.title.endswith(".")
    assert re.fullmatch(r"urn:collate-gateway:problem:[a-z0-9-]+", problem.type)


def test_no_two_problems_share_a_slug():
    assert len({kind.slug for kind in EVERY}) == len(EVERY)


def test_faults_say_where_in_one_way():
    body = Problem("Do this.", faults=(Fault("a word", pointer="/a"), Fault("once", header="Host"))).body("abc")
    assert json.loads(body)["errors"] == [
        {"pointer": "/a", "detail": "a word"},
        {"header": "Host", "detail": "once"},
    ]


@pytest.mark.parametrize(("seconds", "told"), [(0.01, "1"), (1, "1"), (1.2, "2"), (60, "60")])
def test_retry_after_is_whole_seconds_and_never_nothing(seconds, told):
    assert Problem("Wait.", retry_after_seconds=seconds).headers()["retry-after"] == told
