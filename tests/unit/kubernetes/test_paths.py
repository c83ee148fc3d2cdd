import re

from local.kubernetes.paths import ROOT, SOURCES


def test_the_sources_are_those_that_the_dockerfile_copies():
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name.rstrip("/") for line in copied for name in line.split()} - {"README.md", "CHANGELOG.md"}
    assert names == set(SOURCES) - {"Dockerfile"}
