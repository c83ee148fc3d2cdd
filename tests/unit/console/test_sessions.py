import secrets
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from console.person import SignInWay
from console.sign_in.cookies import CookieJar, CookieTooLarge
from console.sign_in.links import OneTimeLinks
from console.sign_in.return_path import safe_return_path
from console.sign_in.sealing import Sealer
from console.sign_in.sessions import Sessions, new_session
from local.sign_in_link import one_time_link
from runtime.credentials.key_ring import KeyFileError
from tests.unit.console.app import NOW, ORIGIN, console_settings


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "cookie-keys"
    file.write_text(secrets.token_urlsafe(32) + "\n")
    return file


@pytest.fixture
def sealer(key_file):
    return Sealer(key_file)


def sessions_of(sealer, **own):
    return Sessions(sealer, console_settings(**own).console)


def sent(set_cookies, cookies=()):
    """Return what a browser sends after these headers."""
    held = dict(cookies)
    for header in set_cookies:
        name, _, value = header.partition(";")[0].partition("=")
        held[name] = value
        if "Max-Age=0" in header:
            del held[name]
    return held


def session(**changes):
    made = new_session(SignInWay.oidc, "jo.miller", SecretStr("token"), frozenset({"operate"}), NOW, seconds=3600)
    return replace(made, **changes)


def test_a_session_survives_its_cookies_and_nothing_of_it_is_readable(sealer):
    sessions = sessions_of(sealer)
    headers = sessions.write(session(), {})
    assert sessions.read(sent(headers), NOW) == session(id=sessions.read(sent(headers), NOW).id)
    assert not any(word in "".join(headers) for word in ("jo.miller", "token", "operate"))


@pytest.mark.parametrize(
    ("changes", "after", "alive"),
    [
        ({}, timedelta(minutes=14, seconds=59), True),
        ({}, timedelta(minutes=15), False),
        ({"token_ends_at": NOW + timedelta(minutes=5)}, timedelta(minutes=4, seconds=59), True),
        ({"token_ends_at": NOW + timedelta(minutes=5)}, timedelta(minutes=5), False),
        ({"token_ends_at": NOW + timedelta(minutes=5), "renewal": SecretStr("r")}, timedelta(minutes=6), True),
        ({"started_at": NOW - timedelta(hours=11, minutes=59)}, timedelta(seconds=59), True),
        ({"started_at": NOW - timedelta(hours=11, minutes=59)}, timedelta(minutes=1), False),
        ({}, timedelta(minutes=-2), False),
    ],
)
def test_a_session_ends_when_idle_at_its_age_and_with_its_token(sealer, changes, after, alive):
    sessions = sessions_of(sealer)
    cookies = sent(sessions.write(session(**changes), {}))
    assert (sessions.read(cookies, NOW + after) is not None) is alive


def test_an_action_moves_the_idle_end_but_a_cookie_is_written_once_a_minute(sealer):
    rules = sessions_of(sealer).rules
    assert rules.touched(session(), NOW + timedelta(seconds=59)) is None
    touched = rules.touched(session(), NOW + timedelta(minutes=14))
    assert rules.is_alive(touched, NOW + timedelta(minutes=28))


@pytest.mark.parametrize(
    ("idle_after", "polls", "alive_at"),
    [
        ("45m", range(1, 60), 44),  # polls move the end up to 45 minutes after the last action
        ("45m", range(1, 11), 24),  # the last poll, then 15 idle minutes
        ("45m", (), 14),
        ("0s", range(1, 60), 14),
        ("10m", range(1, 60), 14),  # never earlier than without a handoff
    ],
)
def test_polls_of_a_held_handoff_move_the_idle_end_up_to_their_bound(sealer, idle_after, polls, alive_at):
    rules, current = sessions_of(sealer, handoff_idle_after=idle_after).rules, session(token_ends_at=None)
    for minute in polls:
        if rules.is_alive(current, NOW + timedelta(minutes=minute)):
            current = rules.held(current, NOW + timedelta(minutes=minute)) or current
    assert rules.ends_at(current) == NOW + timedelta(minutes=alive_at + 1)
    assert rules.held(session(), NOW + timedelta(seconds=59)) is None, "a cookie is written once a minute"
    late = session(started_at=NOW - timedelta(hours=11, minutes=50), held_at=NOW + timedelta(minutes=9))
    assert not rules.is_alive(late, NOW + timedelta(minutes=10)), "no handoff moves the end of a session's life"


def test_a_changed_cookie_another_purpose_or_another_key_open_nothing(sealer, tmp_path):
    sealed = sealer.seal("session", {"a": 1})
    assert sealer.open("session", sealed) == {"a": 1}
    assert sealer.open("link", sealed) is None
    for at in range(0, len(sealed), 7):
        if sealed[at] != ".":
            changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
            assert sealer.open("session", changed) is None
    other = tmp_path / "other"
    other.write_text(secrets.token_urlsafe(32))
    assert Sealer(other).open("session", sealed) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_a_cookie(text):
    assert CookieJar("session", encrypted=True).read({"__Host-session": text}) in {None, text[2:]}


def test_no_text_breaks_the_opening(sealer):
    for text in ("", ".", "....", "a.b.c.d.e", "\N{SNOWMAN}", "e30....", "A" * 100_000):
        assert sealer.open("session", text) is None


def test_while_keys_rotate_both_open_and_the_first_seals(key_file):
    clock = iter(range(0, 1_000, 2))
    sealer = Sealer(key_file, lambda: float(next(clock)))
    old, new = key_file.read_text().strip(), secrets.token_urlsafe(32)
    before = sealer.seal("session", {"n": 1})
    key_file.write_text(f"{old}\n{new}\n")  # every replica learns the new key first
    assert sealer.open("session", before) == {"n": 1}
    key_file.write_text(f"{new}\n{old}\n")
    during = sealer.seal("session", {"n": 2})
    assert sealer.open("session", before) == {"n": 1}
    key_file.write_text(f"{new}\n")
    assert sealer.open("session", before) is None
    assert sealer.open("session", during) == {"n": 2}
    key_file.write_text("broken\n")  # the known keys stay in force
    assert sealer.open("session", during) == {"n": 2}


@pytest.mark.parametrize("content", ["", "short", "A" * 22, "\n".join(["A" * 43] * 3), "!" * 43])
def test_an_unusable_key_file_is_an_error_without_its_content(tmp_path, content):
    (file := tmp_path / "keys").write_text(content)
    with pytest.raises(KeyFileError) as refused:
        Sealer(file)
    assert content == "" or content not in str(refused.value)


@pytest.mark.parametrize("line", ["A" * 43, "A" * 43 + "=", "+/" * 21 + "A=", "-_" * 21 + "A"])
def test_a_key_may_have_both_alphabets_of_base64(tmp_path, line):
    (file := tmp_path / "keys").write_text(f"{line}\r\n")
    assert Sealer(file).open("session", Sealer(file).seal("session", {"a": 1})) == {"a": 1}


def test_a_cookie_is_of_this_host_alone_hidden_from_scripts_and_split_below_4_kb():
    jar = CookieJar("session", encrypted=True)
    headers = jar.write("x" * 9_000, {})
    assert [header.partition("=")[0] for header in headers] == [
        "__Host-session",
        "__Host-session-1",
        "__Host-session-2",
    ]
    for header in headers:
        assert header.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")
        assert len(header.partition(";")[0]) < 4_096
    assert jar.read(sent(headers)) == "x" * 9_000
    assert "Domain" not in "".join(headers)


def test_a_shorter_value_removes_the_parts_that_it_does_not_need_and_a_missing_part_is_no_value():
    jar = CookieJar("session", encrypted=False)
    held = sent(jar.write("x" * 9_000, {}))
    assert jar.read({name: value for name, value in held.items() if name != "session-1"}) is None
    shorter = sent(jar.write("y", held), held)
    assert list(shorter) == ["session"]
    assert jar.read(shorter) == "y"
    assert sent(jar.clear(held), held) == {}


def test_a_value_above_the_bound_is_an_error():
    with pytest.raises(CookieTooLarge):
        CookieJar("session", encrypted=False).write("x" * 15_201, {})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/work",
        "/work?tab=mine&page=2",
        "/authorizations/auth_1/work",
        "/search?q=a%20b//c",
        "/-",
        "/work/https://x",
    ],
)
def test_a_path_of_the_console_is_kept(path):
    assert safe_return_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "work",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        " /work",
        "/work\r\nSet-Cookie: a=b",
        "/w\N{LATIN SMALL LETTER O WITH DIAERESIS}rk",
        "/" + "a" * 1_000,
        "/sign-in?return=/sign-in",
        "/sign-out",
        "/static/0/console.css",
    ],
)
def test_any_other_return_path_leads_to_the_overview(path):
    assert safe_return_path(path) == "/"


@given(st.text(alphabet="/\\.:@?#%\t\r\n evil", max_size=12))
def test_no_return_path_leaves_the_console(path):
    import httpx  # noqa: PLC0415 - the oracle

    target = httpx.URL("https://handoffs.example/").join(safe_return_path(path))
    assert target.host == "handoffs.example"


def opened(links, link, peer="127.0.0.1", after=timedelta()):
    token = links.open(link.partition("?token=")[2], peer, NOW + after)
    return None if token is None else token.get_secret_value()


def test_a_link_works_once_within_an_hour_on_this_machine(tmp_path):
    links = OneTimeLinks(tmp_path)
    link = one_time_link(tmp_path, ORIGIN, "secret", NOW)
    assert "secret" not in link
    assert opened(links, link, peer="192.0.2.7") is None
    assert opened(links, link, after=timedelta(minutes=59)) == "secret"
    assert opened(links, link) is None
    late = one_time_link(tmp_path, ORIGIN, "late", NOW)
    assert opened(links, late, after=timedelta(hours=1)) is None


def test_only_the_owner_reads_a_link_and_those_that_are_over_are_removed(tmp_path):
    one_time_link(tmp_path, ORIGIN, "a", NOW)
    one_time_link(tmp_path, ORIGIN, "b", NOW + timedelta(minutes=61))
    assert [file.stat().st_mode & 0o777 for file in tmp_path.glob("*.link")] == [0o600]


@pytest.mark.parametrize("name", ["", "../cookie-keys", "a" * 65, "\x00", "\udcff"])
def test_no_name_of_a_link_leaves_its_directory(tmp_path, name):
    assert OneTimeLinks(tmp_path).open(name, "::1", NOW) is None
