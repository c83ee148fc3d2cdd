"""The console shows a problem's detail to people, so no detail names the header that tells programs when to retry."""

import ast

from gateway.ingress.api_http.api_problems import every_problem
from tests.contract.code.product import nodes

KINDS = {kind.__name__ for kind in every_problem()}


def texts_with_a_retry_header(found):
    """Return the constant texts that name Retry-After, within calls that create a problem."""
    calls = [one for one in found if isinstance(one, ast.Call) and getattr(one.func, "id", "") in KINDS]
    return [
        text.value
        for call in calls
        for text in ast.walk(call)
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and "retry-after" in text.value.lower()
    ]


def test_no_detail_of_a_problem_names_the_header_retry_after():
    assert [text for found in nodes().values() for text in texts_with_a_retry_header(found)] == []
