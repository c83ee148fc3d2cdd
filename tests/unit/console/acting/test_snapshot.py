"""The review snapshot is shown whole, as it came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.views.content import ShownFacts, ShownGrid, ShownLines, ShownNode, ShownTree, content, nodes
from console.views.json_values import document_of
from console.views.workbench.snapshot import shown_snapshot
from schemas.collate.authorization import SnapshotRefusal

SNAPSHOT = {
    "id": "rev_90",
    "status": "current",
    "kind": "final_payer_submission",
    "generatedAt": "2026-06-02T14:05:00Z",
    "covers": {"priorAuthorizationVersion": 23, "answersVersion": 9},
    "summary": {"service": "MRI brain without contrast", "units": 1},
    "answers": {
        "item": [
            {"linkId": "coverage.memberId", "answer": [{"valueString": "TEST-0001"}]},
            {"linkId": "clinical", "item": [{"linkId": "clinical.onset", "answer": [{"valueDate": "2026-05-01"}]}]},
        ]
    },
    "attachments": [{"id": "att_31", "documentTypes": ["clinical_notes", "order"], "label": "note.pdf"}],
    "warnings": ["The member id was not verified."],
    "transparency": {"liveSessionEndpoint": "/v1/prior-authorizations/auth_1/live-session"},
}


def review(covers="rev_90", **changes):
    return {
        "authorizationId": "auth_1",
        "version": 23,
        "coversReviewSnapshotId": covers,
        "reviewSnapshot": SNAPSHOT | changes,
    }


def texts(shown):
    """Every text that a content shows."""
    match shown:
        case None:
            return []
        case ShownFacts(rows=rows):
            return [text for name, value in rows for text in (name, value.text)]
        case ShownGrid(columns=columns, rows=rows):
            return [*columns, *(cell.text for row in rows for cell in row if cell is not None)]
        case ShownLines(lines=lines):
            return [line.text for line in lines]
        case ShownTree(nodes=found):
            return [text for node in found for text in texts(node)]
        case ShownNode(name=name, value=value, children=children):
            return [name, *([value.text] if value else []), *(text for child in children for text in texts(child))]


@pytest.mark.parametrize(
    ("summary", "payer"), [({"payer": "Example Health"}, "Example Health"), ({"payer": {"x": 1}}, None), ("text", None)]
)
def test_the_payer_has_the_name_of_the_summary(summary, payer):
    assert shown_snapshot(review(summary=summary)).payer == payer


def test_known_parts_are_tables_and_others_a_tree():
    shown = shown_snapshot(review(newPart={"deep": [{"a": {"b": 1}}]}))
    shapes = {part.name: part.content.shape for part in shown.parts}
    assert shapes == {"summary": "facts", "answers": "grid", "attachments": "grid", "covers": "facts"}
    assert shown.warnings.lines[0].text == "The member id was not verified."
    assert [node.name for node in shown.others.nodes] == ["new part"]
    assert shown.refusal is None


def test_answers_are_a_table_with_nested_questions_after_their_group():
    (answers,) = (part.content for part in shown_snapshot(review()).parts if part.name == "answers")
    assert answers.columns == ("question", "answer")
    assert [tuple(cell and cell.text for cell in row) for row in answers.rows] == [
        ("coverage.memberId", "TEST-0001"),
        ("clinical", None),
        ("clinical.onset", "2026-05-01"),
    ]


@pytest.mark.parametrize(
    "answers",
    [
        {"item": [{"linkId": "a", "answer": [{"valueString": "x", "comment": "kept"}]}]},
        {"item": [{"linkId": "a", "definition": "kept"}]},
        {"item": [], "status": "kept"},
        {"item": [{"linkId": "a", "answer": [{"valueQuantity": {"unit": {"code": "kept"}}}]}]},
        "kept",
        ["kept"],
    ],
)
def test_answers_of_another_form_are_shown_whole(answers):
    (shown,) = (part.content for part in shown_snapshot(review(answers=answers)).parts if part.name == "answers")
    assert "kept" in texts(shown) or "status" in texts(shown) or any("kept" in text for text in texts(shown))


@pytest.mark.parametrize(
    ("covers", "status", "refusal"),
    [
        ("rev_90", "current", None),
        (None, "current", None),
        ("rev_91", "current", SnapshotRefusal.NOT_COVERED),
        ("rev_90", "superseded", SnapshotRefusal.STALE),
    ],
)
def test_only_the_current_snapshot_that_the_action_covers_may_be_accepted(covers, status, refusal):
    assert shown_snapshot(review(covers, status=status)).refusal is refusal


def test_a_link_into_a_live_session_is_not_shown():
    assert shown_snapshot(review(transparency={"liveViewUrl": None})).others is None
    addresses = {"liveSessionEndpoint": "/v1/live", "newUrl": "https://live.example/x?token=s3cret"}
    shown = shown_snapshot(review(transparency=addresses | {"lastSeen": "2026-05-01"}))
    assert texts(shown.others) == ["transparency", "last seen", "2026-05-01"]


def test_numbers_stay_as_they_were_written():
    document = document_of(b'{"dose": 1.10, "big": 1e400, "n": 9007199254740993}')
    assert [value.text for _, value in content(document).rows] == ["1.10", "1e400", "9007199254740993"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc ", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(JSON)
def test_no_value_of_any_document_is_dropped(value):
    def leaves(each):
        if isinstance(each, dict):
            return [leaf for name, inner in each.items() for leaf in (name, *leaves(inner))]
        if isinstance(each, list):
            return [leaf for inner in each for leaf in leaves(inner)]
        return [each] if isinstance(each, str) and each else []

    shown = " ".join(texts(content(value)))
    assert all(leaf in shown for leaf in leaves(value))


def test_a_deep_document_ends_in_one_line():
    deep = "bottom"
    for _ in range(400):
        deep = {"a": deep}
    (top,) = nodes(deep)
    assert any("bottom" in text for text in texts(top))
    assert json.dumps(deep)
