"""`make bench ARGS=--compare` against the committed table."""

import json
import subprocess

import pytest

from bench import table

ROW = {"measured": "a request", "value": "100 µs", "cost": 100.0, "run": "ingress"}


@pytest.fixture
def measured(tmp_path, monkeypatch):
    path = tmp_path / "measured.json"
    monkeypatch.setattr(table, "MEASURED", path)
    monkeypatch.setattr(table, "COMPARED", [("ingress", "")])
    path.write_text(json.dumps({"commit": "1", "machine": table.machine(), "day": "2026-01-01", "rows": [ROW]}))
    return path


@pytest.mark.parametrize(("cost", "code"), [(114.0, 0), (116.0, 1)])
def test_a_row_that_costs_more_than_15_percent_more_is_red(measured, monkeypatch, capsys, cost, code):
    other = {"measured": "a row that is not in the table", "cost": 1e9}
    monkeypatch.setattr(table, "rows_of", lambda _name, _options: [ROW | {"cost": cost}, other])
    assert table.compare() == code
    assert f"a request: {cost:.2f}, in the table 100.00" in capsys.readouterr().out


def test_a_benchmark_without_a_row_in_the_table_is_red(measured, monkeypatch, capsys):
    monkeypatch.setattr(table, "rows_of", lambda _name, _options: [ROW | {"measured": "another"}])
    assert table.compare() == 1
    assert "the table has no row of it" in capsys.readouterr().out


def test_rows_of_another_machine_are_not_comparable(measured, monkeypatch, capsys):
    monkeypatch.setattr(table, "machine", lambda: "64 cores")
    assert table.compare() == 0
    assert capsys.readouterr().out.startswith("not comparable")


def test_the_table_can_be_measured_in_parts(measured, monkeypatch):
    git = ("git", "-c", "user.name=x", "-c", "user.email=x", "-C", str(measured.parent))
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "x")):
        subprocess.run([*git, *words], check=True)
    monkeypatch.chdir(measured.parent)
    monkeypatch.setattr(table, "TABLE", [("ingress", ""), ("chain", "")])
    monkeypatch.setattr(table, "rows_of", lambda name, _options: [ROW | {"measured": name}])
    for name in ("ingress", "chain"):
        table.measure([name])
    assert [row["measured"] for row in json.loads(measured.read_text())["rows"]] == ["ingress", "chain"]
