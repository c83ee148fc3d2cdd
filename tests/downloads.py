"""The downloads that tests need, fetched while pytest collects: `pytest -p tests.downloads`.

Otherwise a test's time limit would count the first download of Kafka and of the browser, and each process of
`make test` would download Kafka for itself. The archive of Kafka's classes is made too, which each broker starts from.
A failed download is no error here: the test that needs it reports it.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.browser.chromium import axe_source, browser
from local.failures import LocalError
from local.kafka.class_archive import make_class_archive
from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory

_RUNNING = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    is_xdist_worker = hasattr(session.config, "workerinput")
    if not (is_xdist_worker or session.config.option.collectonly):
        session.config.stash[_RUNNING] = subprocess.Popen([sys.executable, "-m", "tests.downloads"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    if (running := session.config.stash.get(_RUNNING, None)) is not None:
        running.wait()
    return (yield)


def main() -> None:
    """Fetch everything that the cache lacks."""
    downloads = (
        lambda: make_class_archive(fetch(read_lock(), cache_directory() / "jars")),
        browser,
        axe_source,
    )
    with ThreadPoolExecutor() as pool:
        for download in [pool.submit(one) for one in downloads]:
            try:
                download.result()
            except LocalError as error:
                sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    main()
