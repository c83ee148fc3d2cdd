"""The file of an audit export: the same bytes whenever it is made, and every change of it is found."""

import hashlib
import json
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.cli.audit.export_file import ExportSummary, differences, read_file, to_bytes

SPAN = ExportSummary(
    since=datetime(2026, 6, 1, tzinfo=UTC), until=datetime(2026, 6, 2, tzinfo=UTC), records=4, final=True
)
RECORDS = [
    {"time": "2026-06-01T08:00:00Z", "authorizationId": f"auth_{key}", "sequence": number, "id": f"id-{key}-{number}"}
    for key in ("b", "a")
    for number in (10, 9)
]
FILE = to_bytes(RECORDS, SPAN, "jsonl")


@given(st.permutations(RECORDS), st.sampled_from(["jsonl", "csv"]))
def test_the_order_in_which_events_are_read_does_not_matter(records, format_):
    assert to_bytes(records, SPAN, format_) == to_bytes(RECORDS, SPAN, format_)


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
    assert list(differences(read_file(FILE), RECORDS, is_cut=False)) == []
    assert read_file(FILE).is_unchanged


@example(len(FILE) - 1, 0x07)  # the last newline becomes a carriage return
@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found(at, change):
    changed = FILE[:at] + bytes([FILE[at] ^ change]) + FILE[at + 1 :]
    file = read_file(changed)
    assert file is None or not file.is_unchanged


def test_a_difference_names_its_line_or_its_event():
    forged = [RECORDS[0] | {"caller": "nobody"}, *RECORDS[2:], RECORDS[0] | {"sequence": 11}]
    file = read_file(to_bytes(forged, SPAN, "jsonl"))
    assert file.is_unchanged, "the forger computed the digest again"
    assert list(differences(file, RECORDS, is_cut=False)) == [
        "line 3 differs from its event: authorization auth_b, sequence 10",
        "line 4 has no event: authorization auth_b, sequence 11",
        "an event has no line: authorization auth_b, sequence 9",
    ]
    assert len(list(differences(file, RECORDS, is_cut=True))) == 2, "the event of line 4 may be gone"


def test_a_file_of_another_kind_is_no_export():
    for content in (b"", b"{}\n", b"a,b\n1,2\n", to_bytes(RECORDS, SPAN, "csv")):
        assert read_file(content) is None
