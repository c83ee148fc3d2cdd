"""Each loss that docs/disaster.md names has a way back that ran, and its row."""

import json
import re

from docs_build import ways
from tests.contract.documents.pages import PAGES, ROOT

PAGE = PAGES["docs/disaster.md"]
RESULTS = json.loads((ROOT / "bench/ways/results.json").read_text())


def rows_of(heading):
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (?!lost|topic)([^|]+) \|", section, re.MULTILINE)


def test_every_lost_topic_all_of_kafka_and_postgresql_have_a_row_of_a_run():
    measured = rows_of("Measured")
    for lost in (*rows_of("Topics"), "all of Kafka", "PostgreSQL"):
        assert [row for row in measured if row.startswith(lost)], lost
    assert RESULTS.keys() == ways.WAYS.keys()
    assert "*not measured*" not in PAGE


def test_a_way_without_a_run_is_named_in_the_table():
    run = {
        "authorizations": 1,
        "commit": "a",
        "day": "b",
        "seconds": {"gateway migrate": 1, "ready": 2},
        "typed": ["x"],
    }
    table = ways.part(dict.fromkeys(ways.WAYS.keys() - {"state"}, run))
    assert "| `state` | *not measured* |" in table
    assert "| `events` | ready 2 | `x` |" in table
