"""Problems in words for people: complete, and without the words of programs."""

import re

import pytest

import gateway.ingress.live.live_problems
from collate_gateway_client import GatewayProblem
from console.views.problem_words import NO_ACCESS, PROBLEMS, faulty_fields, problem_words
from gateway.ingress.api_http.api_problems import every_problem
from gateway.ingress.live.outcomes import NoAccess
from schemas.permissions import Permission

OF_PROGRAMS = re.compile(
    r"`|Idempotency|Retry-After|Authorization:|JSON|HTTP|/v1/|_|\b[a-z]+[A-Z]|" + "|".join(map(re.escape, Permission))
)


def problem(slug, *, status=409, **members):
    return GatewayProblem(
        status, {"type": f"urn:collate-gateway:problem:{slug}", "title": "T", "detail": "D"} | members, {}
    )


def test_each_problem_of_the_gateway_has_words():
    assert gateway.ingress.live.live_problems, "its problems are in the tree"
    assert set(PROBLEMS) == {kind.slug for kind in every_problem()}


@pytest.mark.parametrize("slug", [*PROBLEMS, *NO_ACCESS])
def test_words_for_people_have_no_word_of_a_program(slug):
    words = PROBLEMS.get(slug) or NO_ACCESS[slug]
    assert not OF_PROGRAMS.search(f"{words.title} {words.detail}")
    assert not words.title.endswith(".")
    assert words.detail.endswith(".")


@pytest.mark.parametrize("reason", list(NoAccess))
def test_the_reason_why_there_is_no_access_has_words_of_its_own(reason):
    assert problem_words(problem("access-unavailable", reason=str(reason))) is NO_ACCESS[str(reason)]


def test_a_reason_of_another_problem_changes_nothing_and_a_newer_problem_keeps_its_own_words():
    assert problem_words(problem("collate-refused", reason="handoff_closed")) == PROBLEMS["collate-refused"]
    words = problem_words(problem("newer"))
    assert (words.title, words.detail) == ("T", "D")


def test_a_fault_names_the_field_of_the_form_and_never_its_path():
    errors = [
        {"pointer": "/result/operatorNotes", "detail": "expected at most 2000 characters"},
        {"pointer": "/metadata/case", "detail": "expected a text"},
        {"header": "Idempotency-Key", "detail": "expected a value"},
    ]
    assert faulty_fields(problem("invalid-command", errors=errors)) == (("Notes", "expected at most 2000 characters"),)
