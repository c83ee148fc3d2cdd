"""README claims only versions that ran and were green; docs/support.md says what was red."""

from datetime import date

import pytest

from docs_build import matrix

DAY = date(2026, 12, 2)


def run(cell, *, python="3.11.2", kafka="4.4.0", postgres="18.1", checks=("kills", "story"), red=()):
    return {
        "cell": cell, "date": DAY, "commit": "0123456789", "java": "25.0.2", "python": [python], "kafka": kafka,
        "postgres": postgres, "checks": list(checks), "red": list(red),
    }  # fmt: skip


def claimed(*runs):
    lines = matrix.claims(runs).splitlines()[2:5]
    return [line.split(" | ")[1].removesuffix(" |").partition(", with")[0] for line in lines]


def test_versions_that_ran_are_claimed_in_order_and_each_once():
    oldest = run("postgres-9", postgres="9.6", checks=["read model"])
    runs = run("a", kafka="4.10.0"), run("b", kafka="4.9.1"), run("c", python="3.13.0"), oldest
    assert claimed(*runs) == ["3.11, 3.13", "4.4, 4.9, 4.10", "9"]


@pytest.mark.parametrize(
    ("one", "python"),
    [
        (run("a", python="3.13.0", red=["kills: 1"]), "none"),
        (run("a", python="3.13.0", checks=["unit"]), "none"),
    ],
)
def test_a_red_version_and_one_without_its_check_are_not_claimed(one, python):
    assert claimed(one)[0] == python


def test_a_red_run_is_said_with_its_check():
    (row,) = matrix.rows([run("a", red=["story: 1"])])
    assert row[0] == "a"
    assert "**red**: story: 1" in row
    assert row[-1] == "2026-12-02, `0123456789`"


def test_each_part_that_ran_has_its_row_and_a_red_one_says_so():
    def part(name, *red):
        return {"part": name, "version": "1.2", "drove": "the console", "red": list(red), "date": DAY, "seconds": 1}

    assert list(matrix.part_rows([part("Proxy"), part("Pooler", "case a", "case b")])) == [
        ("Proxy", "1.2", "the console", "green", "2026-12-02"),
        ("Pooler", "1.2", "the console", "**red**: case a; case b", "2026-12-02"),
    ]
