"""`make mutants`: plant small faults in the packages that decide, and report those that the fast tests miss.

Comparisons, `and`, `or`, `not`, conditions and constants change; calls, returns and raises go; log lines stay. First
all unit and process tests run once without a mutant, and a tracer records the lines that each test runs. A mutant then
runs against the tests of its lines alone, until one fails: unit before process, the fastest first. It runs in a fork
of this process, which has the libraries already, and replaces its module in memory.
"""

import argparse
import ast
import difflib
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, zip_longest
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "consumers/engine/core",
    "consumers/engine/kafka",
    "consumers/authorization",
    "consumers/applier",
    "consumers/deliverer",
    "gateway/ingress/auth",
)
UNIT = "tests/unit"
PLACES = (UNIT, "tests/process", "tests/contract/code")
IMPORTERS = {
    "cli",
    "console",
    "gateway",
    "consumers",
    "local",
    "docs_build",
    "bench",
    "tests",
}  # a fork shares all other modules
PYTEST = ("-q", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-profile", "mutants")
MOST_FAILED = 5
FIRST_TESTS = 40  # most mutants fail here, before the files of all other tests are imported
FORK = multiprocessing.get_context("fork")
PAIRS = {ast.Lt: ast.LtE, ast.Gt: ast.GtE, ast.Eq: ast.NotEq, ast.Is: ast.IsNot, ast.In: ast.NotIn, ast.And: ast.Or}
SWAPS = PAIRS | {other: operator for operator, other in PAIRS.items()}


@dataclass(frozen=True)
class Mutant:
    package: str
    path: str
    lines: range  # from the first line of the statement to the last line of the change
    source: str
    changed: str

    @property
    def place(self):
        return f"{self.path}:{self.lines[-1]}"


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
    tree = ast.parse(source)
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]  # an outer one before its inner ones
    for node in mutable(tree):
        for place, text in changes(node):
            begin = starts[place.lineno - 1] + place.col_offset
            end = starts[place.end_lineno - 1] + place.end_col_offset
            changed = source[:begin] + text.encode() + source[end:]
            statement = [each for each in statements if each.lineno <= place.lineno <= each.end_lineno][-1]
            lines = range(statement.lineno, place.end_lineno + 1)
            yield Mutant(package, str(file.relative_to(ROOT)), lines, source.decode(), changed.decode())


def sample(seed, count):
    """Return as many mutants of each package, in the same order for the same seed."""
    of_packages = []
    for package in PACKAGES:
        of_packages.append([m for file in sorted((ROOT / package).rglob("*.py")) for m in mutants_of(package, file)])
        random.Random(seed).shuffle(of_packages[-1])
    return [mutant for turn in zip_longest(*of_packages) for mutant in turn if mutant is not None][:count]


class Recorder:
    """A plugin of pytest that records the seconds of each test, and the lines of PACKAGES that the test runs."""

    def __init__(self):
        files = [file for package in PACKAGES for file in Path(package).rglob("*.py")]
        self.paths = {str(file.resolve()): str(file) for file in files}
        self.lines, self.seconds, self.failed, self.at_import = {}, {}, set(), set()
        with self.recording(self.at_import):
            for file in files:
                importlib.import_module(module_name(file))

    def trace(self, frame, _event, _argument):
        if (path := self.paths.get(frame.f_code.co_filename)) is None:
            return None
        self.current.add((path, frame.f_lineno))
        return self.trace

    @contextmanager
    def recording(self, lines):
        self.current = lines
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self.lines[item.nodeid] = lines = set()
        begin = time.monotonic()
        with self.recording(lines):
            result = yield
        self.seconds[item.nodeid] = time.monotonic() - begin
        if item.nodeid in self.failed:
            del self.lines[item.nodeid]
        return result

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed.add(report.nodeid)


class Selection:
    """A plugin of pytest that runs the given tests of their files, and keeps the name of the first that fails."""

    def __init__(self, tests):
        self.tests, self.failed = set(tests), None

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.tests]

    def note(self, report):
        if report.failed and self.failed is None:
            self.failed = report.nodeid

    pytest_runtest_logreport = pytest_collectreport = note


def record_run():
    """Run all tests without a mutant; return the recorder, and the names of the modules that they imported.

    The tracer makes a test several times slower, so a test of real time may fail: it judges no mutant.
    """
    recorder = Recorder()
    pytest.main([*PYTEST, *PLACES], [recorder])
    print(f"\n{len(recorder.lines)} tests; {len(recorder.failed)} failed without a mutant and judge none", flush=True)
    if len(recorder.failed) > MOST_FAILED:
        raise SystemExit(f'The tests must pass without a mutant: make test ARGS="{" ".join(PLACES)}"')
    return recorder, [name for name in sys.modules if name.partition(".")[0] not in IMPORTERS]


def tests_of(mutant, recorder):
    """Return the tests that run the mutant's lines: unit before process, the fastest first.

    Tables and constants run at import, before any test. Their tests are all those of the files that run code of the
    package.
    """
    places, lines = {(mutant.path, line) for line in mutant.lines}, recorder.lines
    tests = [test for test in lines if lines[test] & places]
    if not tests and recorder.at_import & places:
        files = {file_of(test) for test in lines if any(path.startswith(mutant.package) for path, _ in lines[test])}
        tests = [test for test in lines if file_of(test) in files]
    near = {file_of(test) for test in tests if any(path == mutant.path for path, _ in lines[test])}
    return sorted(
        tests, key=lambda test: (not test.startswith(UNIT), file_of(test) not in near, recorder.seconds[test])
    )


def file_of(test):
    return test.partition("::")[0]


def module_name(file):
    return ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")


def plant(mutant):
    """Import the mutant in place of its module."""
    name = module_name(mutant.path)
    package, _, last = name.rpartition(".")
    sys.modules[name] = module = ModuleType(name)
    module.__file__, module.__package__ = str(Path(mutant.path).resolve()), package
    setattr(importlib.import_module(package), last, module)
    exec(compile(mutant.changed, module.__file__, "exec"), module.__dict__)


def run_mutant(mutant, tests, timeout, answers):
    """Run the tests until one fails, and send its name, or a false value. This process then ends."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    selection = Selection(tests)
    plant(mutant)
    files = dict.fromkeys(map(file_of, tests))
    code = pytest.main([*PYTEST, "-x", f"--timeout={timeout}", *files], [selection])
    answers.send(selection.failed or (code and "pytest"))


def first_failure(mutant, tests, seconds):
    """Run the tests against the mutant in a fork; return the name of the first that fails, or None."""
    durations = [seconds[test] for test in tests]
    answer, answers = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run_mutant, args=(mutant, tests, 20 + 5 * max(durations), answers))
    process.start()
    answers.close()
    try:
        return answer.recv() if answer.poll(60 + 5 * sum(durations)) else "no end"
    except EOFError:
        return "import"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def judge(mutant, tests, seconds, deadline):
    """Return the verdict, and the test that failed."""
    unit = [test for test in tests if test.startswith(UNIT)]
    for batch in (unit[:FIRST_TESTS], unit[FIRST_TESTS:], tests[len(unit) :]):
        if time.monotonic() > deadline:
            return "left out", ""
        if batch and (failed := first_failure(mutant, batch, seconds)):
            return "killed", failed
    return "survived", ""


def report(results):
    print(f"\n{'package':28}{'killed':>8}{'survived':>10}{'score':>8}")
    for package in PACKAGES:
        of_package = [result for mutant, result in results if mutant.package == package]
        killed, survived = of_package.count("killed"), of_package.count("survived")
        print(f"{package:28}{killed:8}{survived:10}{killed / max(1, killed + survived):8.1%}")
    for mutant in (mutant for mutant, result in results if result == "survived"):
        diff = difflib.unified_diff(mutant.source.splitlines(), mutant.changed.splitlines(), n=0)
        print(f"\n{mutant.place}", *list(diff)[3:], sep="\n")


def main():
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.partition("\n")[0])
    for name, default in {"seed": 7, "count": 300, "minutes": 40, "jobs": 2 * os.cpu_count()}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    wanted = parser.parse_args()
    deadline, mutants = time.monotonic() + 60 * wanted.minutes, sample(wanted.seed, wanted.count)
    os.environ["CI"] = "1"  # the same random examples for each mutant
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(ROOT, Path(folder) / "copy", ignore=shutil.ignore_patterns(".*", "dist"))
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        print(f"{len(mutants)} mutants; first all tests without a mutant", flush=True)
        with ProcessPoolExecutor(1, FORK) as pool:
            recorder, modules = pool.submit(record_run).result()
        for module in modules:
            with suppress(Exception):
                importlib.import_module(module)
        results = []
        with ProcessPoolExecutor(wanted.jobs, FORK) as pool:
            tests = [tests_of(mutant, recorder) for mutant in mutants]
            judge_all = partial(judge, seconds=recorder.seconds, deadline=deadline)
            for mutant, (verdict, test) in zip(mutants, pool.map(judge_all, mutants, tests), strict=True):
                results.append((mutant, verdict))
                print(f"{len(results):4}/{len(mutants)}  {verdict:9} {mutant.place}  {test}", flush=True)
    report(results)


if __name__ == "__main__":
    main()
