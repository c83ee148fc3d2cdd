import pytest

from local.image import contents
from local.image.base_image import trim

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9

Package: python3-pip
Status: deinstall ok config-files
Version: 23.0

Package: dash
Status: install ok installed
Version: 0.5
"""
METADATA = "Metadata-Version: 2.1\nName: aiokafka\nVersion: 0.14.0\nLicense-Expression: Apache-2.0\n"


def write(root, name, text=""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path):
    write(tmp_path, "opt/gateway/lib/python3.11/site-packages/aiokafka-0.14.0.dist-info/METADATA", METADATA)
    write(tmp_path, "var/lib/dpkg/status", STATUS)
    write(tmp_path, "usr/share/doc/libc6/copyright", "License: LGPL-2.1+\nLicense: GPL-2\nLicense: GPL-2\n")
    write(tmp_path, "usr/share/doc/dash/copyright", "see `/usr/share/common-licenses/GPL-2'.")
    write(tmp_path, "usr/bin/python3")
    return tmp_path


@pytest.mark.parametrize(
    "place",
    [
        "usr/bin/pip",
        "usr/bin/pip3.11",
        "usr/local/lib/python3.11/ensurepip/__init__.py",
        "opt/gateway/lib/python3.11/site-packages/setuptools/__init__.py",
        "usr/share/python-wheels/pip-23.0.1-py3-none-any.whl",
        "usr/local/bin/wheel",
    ],
)
def test_an_installer_is_found_wherever_it_is(root, place):
    assert contents.forbidden(root) == []
    write(root, place)
    (found,) = contents.forbidden(root)
    assert place.startswith(found)


def test_the_packages_are_the_installed_ones_of_both_sources(root):
    listed = contents.packages(root)
    assert [(one.source, one.name, one.version, one.licence) for one in listed] == [
        ("deb", "dash", "0.5", "GPL-2"),
        ("deb", "libc6", "2.36-9", "GPL-2, LGPL-2.1+"),
        ("pypi", "aiokafka", "0.14.0", "Apache-2.0"),
    ]
    bill = contents.bill("gateway", "1", listed)
    urls = {one["purl"] for one in bill["components"]}
    assert {"pkg:deb/debian/libc6@2.36-9", "pkg:pypi/aiokafka@0.14.0"} <= urls
    assert any(url.startswith("pkg:npm/") for url in urls)
    assert "| deb | libc6 | 2.36-9 | GPL-2, LGPL-2.1+ |" in contents.licences(listed)


def test_trimming_keeps_licences_and_removes_what_no_program_reads(root):
    for name in ("usr/share/doc/dash/changelog.gz", "usr/share/man/man1/x", "var/lib/apt/lists/x", "tmp/x"):
        write(root, name)
    write(root, "usr/lib/python3/__pycache__/os.pyc")
    trim(root)
    left = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert {"usr/share/doc/dash/copyright", "usr/bin/python3"} <= left
    assert not {name for name in left if name.endswith(("/x", ".pyc", "changelog.gz"))}
