"""The site (`make docs ARGS=--site`): it is whole, its search works, and it loads nothing from elsewhere."""

import asyncio
import functools
import hashlib
import subprocess
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import expect

from docs_build.__main__ import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site") / "html"
    command = [sys.executable, "-m", "docs_build", "--site", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    return target


@pytest.fixture(scope="module")
def address(site):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Page(HTMLParser):
    """The ids of a page, its links, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids.add(given.get("id"))
        if "src" in given or "srcset" in given or tag == "link":
            self.loaded.add(given.get("src") or given.get("srcset") or given["href"])
        elif tag == "a":
            self.links.add(given.get("href", ""))


async def test_every_link_of_the_site_leads_to_a_page_and_a_place_of_it_and_nothing_is_loaded_from_elsewhere(site):
    pages = {path.resolve(): Page(path.read_text()) for path in site.rglob("*.html")}
    wrong, checked = [], 0
    for path, page in pages.items():
        wrong += [(path.name, one) for one in page.loaded if urlsplit(one).netloc]
        for link in page.links | page.loaded:
            to = urlsplit(link)
            if to.netloc or to.scheme:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            found = pages.get(target)
            checked += 1
            if not target.is_file() or (found and to.fragment and unquote(to.fragment) not in found.ids):
                wrong.append((path.name, link))
    assert wrong == []
    assert checked > 5_000


async def test_the_search_finds_the_page_of_a_word_among_the_first_three_and_asks_no_other_host(browser, address):
    page = await browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    found = {}
    for words in ("Retry-After", "dead letter", "rotate", "503"):
        await page.goto(address)
        search = page.get_by_placeholder("Search")
        await search.fill(words)
        await search.press("Enter")
        await expect(page.locator("#search-results")).to_contain_text("Search finished")
        results = await page.locator("ul.search a").all()
        found[words] = [urlsplit(await one.get_attribute("href")) for one in results[:3]]
    await page.close()
    assert (found["Retry-After"][0].path, found["Retry-After"][0].fragment) == ("reference/headers.html", "retry-after")
    assert "docs/operations.html" in [one.path for one in found["dead letter"]]
    assert found["rotate"][0].geturl() == "docs/operations.html#how-do-i-rotate-a-secret"
    assert found["503"][0].path == "reference/headers.html"
    assert {urlsplit(one).netloc for one in asked} == {urlsplit(address).netloc}


async def test_no_byte_of_the_site_depends_on_its_folders(site):
    """Sphinx names a linked file by a digest of its path, and `.buildinfo` has one of the options."""
    paths = [path.relative_to(ROOT) for folder in ("docs", "schemas") for path in (ROOT / folder).rglob("*")]
    named = {hashlib.md5(str(path).encode(), usedforsecurity=False).hexdigest() for path in paths}
    linked = {path.name for path in (site / "_downloads").iterdir()}
    assert linked
    assert linked <= named
    assert not (site / ".buildinfo").exists()
    assert [path for path in site.rglob("*.*") if path.is_file() and str(ROOT).encode() in path.read_bytes()] == []


async def test_a_dead_link_fails_the_build(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/index.md").write_text("# Home\n\n[page](no-page.md) [far](index.md#far) [near](#near)\n")
    # A process of its own: Sphinx changes global tables of docutils.
    program = "import sys, pathlib; from docs_build.site.build import render; render(*map(pathlib.Path, sys.argv[1:]))"
    command = [sys.executable, "-c", program, tmp_path / "source", tmp_path / "target"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode != 0
    assert [name for name in ("no-page", "far", "near") if f"'{name}" not in said.decode()] == []
