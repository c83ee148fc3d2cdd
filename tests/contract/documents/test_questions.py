"""A stranger's questions: at most two links lead from README to the section with the answer."""

import posixpath
import re

import pytest

from tests.contract.documents.pages import PAGES, slug

HOME = "README.md"
QUESTIONS = {
    "How do I send a command?": (f"{HOME}#use-it", "A command is a POST with an `Idempotency-Key`"),
    "What is 503?": (f"{HOME}#what-it-guarantees", "A 503 means unknown: retry with the same key"),
    "How do I rotate a key?": ("docs/operations.md#how-do-i-rotate-a-secret", "| a caller's key | add a second"),
    "What does it cost?": ("docs/capacity.md#how-large-an-installation-has-to-be", "| disk of Kafka, 3 copies |"),
    "Is the report the truth?": (f"{HOME}#what-it-guarantees", "is never published as the payer's truth"),
    "How do I subscribe in Java?": ("docs/subscribing.md#with-java-or-another-client", "=read_committed"),
    "What happens when Kafka dies?": ("docs/operations.md#kafka-is-away", "Nothing is lost, and all processes recover"),
    "What must I back up?": ("docs/disaster.md#what-to-back-up", "Keep copies elsewhere"),
    "Are its promises kept in production?": (
        "docs/operations.md#a-promise-is-broken",
        "`gateway check promises --since",
    ),
    "Which versions are supported?": ("docs/support.md#versions", "| Apache Kafka |"),
    "How do I try it without Collate?": (f"{HOME}#collate-handoff-gateway", "only Collate is simulated"),
    "Who may read a review?": ("docs/data-protection.md#who-can-read-it", "`authorization:review`"),
}


def section(place):
    """Return the text of a section; of a page without an anchor, what stands before its first section."""
    name, _, anchor = place.partition("#")
    parts = re.split(r"^(?=#+ )", PAGES[name], flags=re.MULTILINE)
    titles = [slug(part.partition("\n")[0].lstrip("# ")) for part in parts]
    return parts[titles.index(anchor)] if anchor else "".join(parts[:2])


def links(name):
    """Yield the places, pages with and without an anchor, that a page links."""
    for target in re.findall(r"\]\(([^)\s:]+)\)", PAGES[name]):
        page, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), page)) if page else name
        if path in PAGES:
            yield f"{path}#{anchor}" if anchor else path


@pytest.mark.parametrize("question", QUESTIONS)
def test_two_links_lead_from_the_readme_to_the_answer(question):
    place, words = QUESTIONS[question]
    first = set(links(HOME))
    second = {there for here in first for there in links(here.partition("#")[0])}
    assert place.startswith(f"{HOME}#") or place in first | second
    assert words in section(place)
