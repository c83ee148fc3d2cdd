"""`make mutants`: plant small faults in the packages that decide, and report those that the fast tests miss.

Comparisons, `and`, `or`, `not`, conditions and constants change; calls, returns and raises go; log lines stay. A mutant
runs in a copy of the repository, against the unit and process tests whose imports lead to its module: first those that
import the module itself, then the others, the fastest first.
"""

import argparse
import ast
import difflib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, zip_longest
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
PACKAGES = ("consumers/engine/core", "consumers/authorization", "consumers/applier", "gateway/ingress/auth")
PYTEST = (sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", "--hypothesis-profile", "quick")
PAIRS = {ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Eq: ast.NotEq, ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.And: ast.Or}
SWAPS = PAIRS | {other: operator for operator, other in PAIRS.items()}


@dataclass(frozen=True)
class Mutant:
    package: str
    path: str
    line: int
    source: bytes
    changed: bytes


def mutable(node):
    """Walk the nodes whose change is a change of behaviour: no annotations, decorators, type imports or f-strings."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
        return
    yield node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns", "decorator_list"}:
                yield from mutable(child)


def changes(node):
    """Return the nodes and the texts that replace them."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=comparators) if type(operator) in SWAPS:
            yield node, f"({ast.unparse(ast.Compare(left, [SWAPS[type(operator)]()], comparators))})"
        case ast.BoolOp(op=operator, values=values):
            yield node, f"({ast.unparse(ast.BoolOp(SWAPS[type(operator)](), values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield from ((node, repr(value + 1)), (node, repr(value - 1)))
        case ast.Expr(value=ast.Call() | ast.Await()) if "log" not in ast.unparse(node).partition("(")[0]:
            yield node, "pass"
        case ast.Return(value=None) | ast.Raise():
            yield node, "pass"
        case ast.Return(value=value) if not isinstance(value, ast.Constant):
            yield node, "return None"
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.comprehension(ifs=[test]):
            yield test, f"(not ({ast.unparse(test)}))"


def mutants_of(package, file):
    source = file.read_bytes()
    starts = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    for node in mutable(ast.parse(source)):
        for place, text in changes(node):
            begin = starts[place.lineno - 1] + place.col_offset
            end = starts[place.end_lineno - 1] + place.end_col_offset
            changed = source[:begin] + text.encode() + source[end:]
            yield Mutant(package, str(file.relative_to(ROOT)), place.lineno, source, changed)


def sample(seed, count):
    """Return as many mutants of each package, in the same order for the same seed."""
    of_packages = []
    for package in PACKAGES:
        of_packages.append([m for file in sorted((ROOT / package).rglob("*.py")) for m in mutants_of(package, file)])
        random.Random(seed).shuffle(of_packages[-1])
    return [mutant for turn in zip_longest(*of_packages) for mutant in turn if mutant is not None][:count]


@cache
def imports(file):
    """Return the files that a file imports, its conftests included."""
    names = set()
    for node in mutable(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    paths = [ROOT / name.replace(".", "/") for name in names]
    found = {each for path in paths for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()}
    if file.is_relative_to(ROOT / "tests"):
        found |= {folder / "conftest.py" for folder in file.parents if (folder / "conftest.py").is_file()}
    return found - {file}


@cache
def reached(file):
    """Return all files that a file's imports lead to."""
    found = {file}
    while new := {other for each in found for other in imports(each)} - found:
        found |= new
    return found


def run(command, copy, seconds, output=subprocess.DEVNULL):
    """Run a command in a copy; return its exit code. After the seconds it is killed, with all that it started."""
    environ = os.environ | {"PYTHONPATH": str(copy), "CI": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(command, cwd=copy, env=environ, start_new_session=True, stdout=output, stderr=output)
    with suppress(subprocess.TimeoutExpired):
        return process.wait(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def verdict(mutant, copy, tests, seconds):
    """Run the tests that the mutant may fail, until one does."""
    file = copy / mutant.path
    direct = [test for test in tests if ROOT / mutant.path in imports(ROOT / test)]
    try:
        file.write_bytes(mutant.changed)
        for batch in (direct, [test for test in tests if test not in direct]):
            bound = 60 + 4 * sum(seconds[test] for test in batch)
            if batch and run([*PYTEST, "--timeout=60", *batch], copy, bound) != 0:
                return "killed"
        return "survived"
    finally:
        file.write_bytes(mutant.source)


def report(results):
    print(f"\n{'package':28}{'killed':>8}{'survived':>10}{'score':>8}")
    for package in PACKAGES:
        of_package = [result for mutant, result in results if mutant.package == package]
        killed, survived = of_package.count("killed"), of_package.count("survived")
        print(f"{package:28}{killed:8}{survived:10}{killed / max(1, killed + survived):8.1%}")
    for mutant in (mutant for mutant, result in results if result == "survived"):
        diff = difflib.unified_diff(*(text.decode().splitlines() for text in (mutant.source, mutant.changed)), n=0)
        print(f"\n{mutant.path}:{mutant.line}", *list(diff)[3:], sep="\n")


def main():
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    for name, default in {"seed": 7, "count": 300, "minutes": 40, "jobs": 2 * os.cpu_count()}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    wanted = parser.parse_args()
    deadline, mutants = time.monotonic() + 60 * wanted.minutes, sample(wanted.seed, wanted.count)
    found = [file for kind in ("unit", "process") for file in sorted((ROOT / "tests" / kind).rglob("test_*.py"))]
    files = [file for file in found if "docs_build" not in file.parts]  # a stale page says nothing about behaviour
    tests = {m.path: [str(f.relative_to(ROOT)) for f in files if ROOT / m.path in reached(f)] for m in mutants}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(wanted.jobs) as pool:
        copies = SimpleQueue()
        for copy in (Path(folder) / str(job) for job in range(wanted.jobs)):
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "dist"))
            copies.put(copy)
        every_test = sorted({test for of_path in tests.values() for test in of_path})
        print(f"{len(mutants)} mutants; first {len(every_test)} files of tests without a mutant", flush=True)
        spread = (f"--numprocesses={wanted.jobs}", "--dist=loadfile", "-ojunit_family=xunit1", "--junitxml=report.xml")
        if run([*PYTEST, *spread, *every_test], copy, 1_200, None) != 0:
            raise SystemExit("The tests must pass without a mutant: make unit; make test ARGS=tests/process")
        seconds = Counter()
        for case in ET.parse(copy / "report.xml").iter("testcase"):
            seconds[case.get("file")] += float(case.get("time"))

        def judge(mutant):
            if time.monotonic() > deadline:
                return "left out"
            copy = copies.get()
            try:
                return verdict(mutant, copy, sorted(tests[mutant.path], key=seconds.__getitem__), seconds)
            finally:
                copies.put(copy)

        results = []
        for result in pool.map(judge, mutants):
            results.append((mutant := mutants[len(results)], result))
            print(f"{len(results):4}/{len(mutants)}  {result:9} {mutant.path}:{mutant.line}", flush=True)
    report(results)


if __name__ == "__main__":
    main()
