"""The file of an audit export: the same bytes whenever it is made, and every change of it is found."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from cli.audit.audit_record import AUDITED, COLUMNS, NO_ACT, with_reads
from cli.audit.export_file import ExportSummary, differences, faults, read_file, to_bytes
from schemas.enums import EventType
from schemas.events import EVENTS

SPAN = ExportSummary(
    since=datetime(2026, 6, 1, tzinfo=UTC), until=datetime(2026, 6, 2, tzinfo=UTC), records=4, final=True
)
RECORDS = [
    {"time": "2026-06-01T08:00:00Z", "authorizationId": f"auth_{key}", "sequence": number, "id": f"id-{key}-{number}"}
    for key in ("b", "a")
    for number in (10, 9)
]
FILE = to_bytes(RECORDS, SPAN, "jsonl")


def found_in(content, records=RECORDS, lacking=()):
    file = read_file(content)
    assert file.is_unchanged, "the forger computed the digest again"
    return [*faults(file), *differences(file, records, lambda authorization: authorization in lacking)]


def test_each_event_type_is_audited_or_no_act():
    """An event with a caller is about an act; a new one without a caller needs its row."""
    named = {model.TYPE for model in EVENTS.values() if "caller" in model.model_fields}
    assert named - {EventType.COMMAND_WAITING} == AUDITED
    assert set(EventType) == AUDITED | NO_ACT


@given(st.permutations(RECORDS), st.sampled_from(["jsonl", "csv"]))
def test_the_order_in_which_events_are_read_does_not_matter(records, format_):
    assert to_bytes(records, SPAN, format_) == to_bytes(RECORDS, SPAN, format_)


def test_an_acceptance_says_who_read_that_snapshot_before():
    def read(sequence, authorization="auth_a", snapshot="rev_1", **who):
        return record(sequence, authorization) | {"reviewSnapshotId": snapshot, "caller": "desk"} | who

    def accepted(sequence, authorization="auth_a", snapshot="rev_1"):
        return record(sequence, authorization) | {"acceptedReviewSnapshotId": snapshot, "acceptedBy": "jo"}

    def record(sequence, authorization):
        time = f"2026-06-01T08:00:{sequence:02}Z"
        return {"time": time, "authorizationId": authorization, "sequence": sequence, "caller": "people:jo"}

    records = [
        read(1, operator="sam"),
        read(1, "auth_b", operator="jo"),
        read(2, snapshot="rev_0", operator="jo"),
        accepted(3),
        read(4, operator="jo"),
        accepted(5),
        accepted(6, snapshot="rev_2"),
        record(7, "auth_a"),
    ]
    found = {one["sequence"]: one.get("snapshotReadBy") for one in with_reads(reversed(records)) if "acceptedBy" in one}
    assert found == {3: "others", 5: "reviewer", 6: "nobody"}
    assert all("snapshotReadBy" not in one for one in records if "acceptedBy" not in one)
    assert COLUMNS[-2:] == ("acceptedReviewSnapshotId", "snapshotReadBy")


def test_records_are_by_authorization_and_sequence_and_the_last_line_has_their_digest():
    *lines, summary, digest = FILE.splitlines(keepends=True)
    keys = [(one["authorizationId"], one["sequence"]) for one in map(json.loads, lines)]
    assert keys == [("auth_a", 9), ("auth_a", 10), ("auth_b", 9), ("auth_b", 10)]
    assert json.loads(summary) == {
        "since": "2026-06-01T00:00:00Z",
        "until": "2026-06-02T00:00:00Z",
        "records": 4,
        "final": True,
    }
    assert json.loads(digest) == {"sha256": hashlib.sha256(b"".join([*lines, summary])).hexdigest()}
    assert found_in(FILE) == []
    assert read_file(FILE).is_unchanged


@example(len(FILE) - 1, 0x07)  # the last newline becomes a carriage return
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found(at, change):
    changed = FILE[:at] + bytes([FILE[at] ^ change]) + FILE[at + 1 :]
    file = read_file(changed)
    assert file is None or not file.is_unchanged


def test_a_difference_names_its_line_or_its_event():
    forged = [RECORDS[0] | {"caller": "nobody"}, *RECORDS[2:], RECORDS[0] | {"sequence": 11}]
    file = to_bytes(forged, SPAN, "jsonl")
    assert found_in(file) == [
        "line 3 differs from its event: authorization auth_b, sequence 10",
        "line 4 has no event: authorization auth_b, sequence 11",
        "an event has no line: authorization auth_b, sequence 9",
    ]
    assert len(found_in(file, lacking={"auth_b"})) == 2, "the event of line 4 may be gone"
    assert len(found_in(file, lacking={"auth_a"})) == 3, "the retention of another partition excuses nothing"


def test_a_file_that_was_cut_down_and_digested_again_is_found():
    less = {"records": 3}
    assert found_in(to_bytes(RECORDS[1:], SPAN, "jsonl")) == [
        "expected 4 records, found 3",
        "an event has no line: authorization auth_b, sequence 10",
    ]
    assert found_in(to_bytes(RECORDS[1:], SPAN.model_copy(update=less), "jsonl")) == [
        "an event has no line: authorization auth_b, sequence 10"
    ]
    narrow = {"since": SPAN.until, "records": 0}
    assert found_in(to_bytes([], SPAN.model_copy(update=narrow), "jsonl"), []) == [
        "the span is empty: it begins at 2026-06-02T00:00:00Z"
    ]
    narrow = {"until": datetime(2026, 6, 1, 1, tzinfo=UTC)}
    assert len(found_in(to_bytes(RECORDS, SPAN.model_copy(update=narrow), "jsonl"), [], {"auth_a", "auth_b"})) == 4
    narrow = {"authorization_id": "auth_a"}
    assert len(found_in(to_bytes(RECORDS, SPAN.model_copy(update=narrow), "jsonl"), [], {"auth_a", "auth_b"})) == 2
    only = replace(read_file(FILE), summary=SPAN.model_copy(update=narrow))
    assert str(only) == "4 records from 2026-06-01T00:00:00Z until 2026-06-02T00:00:00Z, of authorization auth_a alone"


def test_a_file_of_another_kind_is_no_export():
    for content in (b"", b"{}\n", b"a,b\n1,2\n", to_bytes(RECORDS, SPAN, "csv")):
        assert read_file(content) is None
