import pytest

from adapters.webhooks.target import TargetInvalid, read_target


def test_a_target_keeps_the_name_the_path_and_the_query():
    target = read_target("https://Hooks.Example:8443/a/b?token=1", allow_plain_http=False)
    assert (target.is_tls, target.host, target.port) == (True, "hooks.example", 8443)
    assert (target.netloc, target.path) == ("hooks.example:8443", "/a/b?token=1")


def test_neither_the_path_nor_the_query_is_shown():
    target = read_target("https://hooks.example/T0/secret?token=s3cret", allow_plain_http=False)
    assert target.origin == "https://hooks.example"
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("url", "host", "netloc"),
    [
        ("https://hooks.example", "hooks.example", "hooks.example"),
        ("https://hooks.example.", "hooks.example", "hooks.example"),
        ("https://93.184.215.14/", "93.184.215.14", "93.184.215.14"),
        ("https://[2606:2800::1]:444444/", None, None),
        ("https://[2606:2800::1]:4444/", "2606:2800::1", "[2606:2800::1]:4444"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_hosts(url, host, netloc):
    if host is None:
        with pytest.raises(TargetInvalid):
            read_target(url, allow_plain_http=False)
        return
    target = read_target(url, allow_plain_http=False)
    assert (target.host, target.netloc) == (host, netloc)


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example", "//hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/",
        "http://hooks.example/", "https://", "https:///path", "https://user@hooks.example/", "https://u:p@hooks.example/",
        "https://hooks.example/#part", "https://hooks.example:22/", "https://hooks.example:80/", "https://hooks.example:0/",
        "https://hooks.example:99999/", "https://hooks.example:x/", "https://hooks.example/ space",
        "https://hooks.example/\r\nHost: other", "https://hooks.example/\x00", "https://hooks.example\\@evil.example/",
        "https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0177.0.0.1/", "https://hooks..example/",
        "https://-hooks.example/", "https://bücher.example/", "https://hooks.example/ü", "https://[fe80::1%25eth0]/x y",
        "https://hooks.example%00.evil.example/", "https://[::1/", "https://hooks.example/<x>",
    ],
)  # fmt: skip
def test_other_urls_are_refused_and_not_repeated(url):
    with pytest.raises(TargetInvalid) as refused:
        read_target(url, allow_plain_http=False)
    assert "evil" not in str(refused.value)


def test_plain_http_needs_a_permission():
    assert read_target("http://hooks.example/", allow_plain_http=True).port == 80
    assert not read_target("http://hooks.example/", allow_plain_http=True).is_tls
