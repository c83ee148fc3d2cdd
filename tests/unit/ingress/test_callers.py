import hashlib

import pytest

from gateway.ingress.callers import CallersFile, CallersInvalid, Permission, new_key, read_callers

CALLER = '[[caller]]\nname = "{}"\npermissions = ["handoff:request"]\n'


def file_with(*names, keys=()):
    return "".join(CALLER.format(name) + "".join(key.entry for key in keys) for name in names).encode()


def test_a_key_is_its_callers():
    key = new_key()
    caller = read_callers(file_with("scheduling", keys=[key])).by_key(key.key, now=0)
    assert caller.name == "scheduling"
    assert caller.permissions == {Permission.HANDOFF_REQUEST}


def test_a_caller_may_have_several_keys():
    old, new = new_key(), new_key()
    callers = read_callers(file_with("scheduling", keys=[old, new]))
    assert callers.by_key(old.key, 0) == callers.by_key(new.key, 0) != None  # noqa: E711 - three in one


def test_what_is_no_key_of_anybody_is_nobody():
    key, other = new_key(), new_key()
    callers = read_callers(file_with("scheduling", keys=[key]))
    wrong = [
        other.key,
        "",
        "cgk",
        "cgk_",
        "cgk__",
        key.key[:-1],
        key.key + "x",
        key.key.upper(),
        "ü\udc80",
        "x" * 10_000,
    ]
    assert [callers.by_key(credential, 0) for credential in wrong] == [None] * len(wrong)


def test_an_expired_key_is_nobodys():
    key = new_key()
    entry = key.entry + "expires = 1970-01-01T00:01:40Z\n"
    callers = read_callers(CALLER.format("scheduling").encode() + entry.encode())
    assert callers.by_key(key.key, now=99) is not None
    assert callers.by_key(key.key, now=100) is None


def test_the_file_holds_no_key():
    key = new_key()
    assert key.key not in key.entry
    assert hashlib.sha256(key.key.encode()).hexdigest() in key.entry


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name = ", "not TOML"),
        (b"\xff", "not TOML"),
        (b'[[caller]]\nname = "a"\npermissions = []\n', "caller.0.permissions"),
        (b'[[caller]]\nname = "a"\npermissions = ["everything"]\n', "caller.0.permissions.0"),
        (b'[[caller]]\nname = "a b"\npermissions = ["operate"]\n', "caller.0.name"),
        (b'[[caller]]\nname = "a"\npermissions = ["operate"]\nkey = [{id = "abcd", sha256 = "x"}]\n', "sha256"),
        (b'[[caller]]\nname = "a"\npermissions = ["operate"]\nsecret = "x"\n', "caller.0.secret"),
        (file_with("a", "a"), "twice"),
    ],
)
def test_a_bad_file_is_refused_whole_and_says_where(content, problem):
    with pytest.raises(CallersInvalid, match=problem):
        read_callers(content)


def test_a_problem_shows_no_value():
    with pytest.raises(CallersInvalid) as caught:
        read_callers(
            b'[[caller]]\nname = "a"\npermissions = ["cgk_abcd_s3cret"]\nkey = [{id = "s3cret!", sha256 = "s3cret"}]'
        )
    assert "s3cret" not in str(caught.value)


def test_the_file_is_read_again_when_it_changes(tmp_path):
    path, key = tmp_path / "callers.toml", new_key()
    path.write_bytes(file_with("first"))
    callers = CallersFile(path)
    assert not callers.reread_if_changed()
    path.write_bytes(file_with("second", keys=[key]))
    assert callers.reread_if_changed()
    assert callers.current.by_key(key.key, 0).name == "second"
    assert not callers.reread_if_changed()


def test_a_swapped_link_is_a_change(tmp_path):
    for number in (1, 2):
        (tmp_path / f"data{number}").mkdir()
        (tmp_path / f"data{number}" / "callers.toml").write_bytes(file_with(f"caller{number}"))
    link = tmp_path / "now"
    link.symlink_to("data1")
    callers = CallersFile(link / "callers.toml")
    link.unlink()
    link.symlink_to("data2")
    assert callers.reread_if_changed()
    assert callers.current.names == {"caller2"}


@pytest.mark.parametrize("damage", [b"name = ", None])
def test_a_bad_or_missing_file_leaves_the_old_one_and_says_so(tmp_path, damage):
    path = tmp_path / "callers.toml"
    path.write_bytes(file_with("first"))
    callers = CallersFile(path)
    path.unlink() if damage is None else path.write_bytes(damage)
    assert not callers.reread_if_changed()
    assert callers.problem
    assert callers.current.names == {"first"}
    path.write_bytes(file_with("second"))
    assert callers.reread_if_changed()
    assert callers.problem is None


def test_a_bad_file_at_the_start_is_an_error(tmp_path):
    with pytest.raises(CallersInvalid):
        CallersFile(tmp_path / "missing.toml")
