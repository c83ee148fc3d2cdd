import base64
import hashlib

import pytest

from adapters.oidc.people import Person, PersonClaims
from adapters.oidc.tokens import Subject
from gateway.ingress.auth.callers import new_key, new_signing_secret
from gateway.ingress.auth.callers_file import CallersFile, read_callers
from runtime import toml_file
from runtime.toml_file import TomlInvalid
from schemas.permissions import Permission

CALLER = '[[caller]]\nname = "{}"\npermissions = ["handoff:request"]\n'

ISSUER = """
[[issuer]]
url = "https://login.example"
audience = "collate-gateway"
algorithms = ["RS256"]
keys = "https://login.example/jwks.json"
"""
TOKEN = '[[caller.token]]\nissuer = "https://login.example"\nsubject = "client-1"\n'


def file_with(*names, keys=()):
    return "".join(CALLER.format(name) + "".join(key.entry for key in keys) for name in names).encode()


def test_each_key_identifies_its_caller_until_it_expires():
    old, new = new_key(), new_key()
    text = file_with("scheduling", keys=[new, old]) + b"expires = 1970-01-01T00:01:40Z\n"
    callers = read_callers(text)
    caller = callers.by_key(new.key, now=100)
    assert (caller.name, caller.permissions) == ("scheduling", {Permission.HANDOFF_REQUEST})
    assert [callers.by_key(old.key, now) for now in (99, 100)] == [caller, None]


def test_an_unknown_key_identifies_no_caller():
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


def test_the_entry_of_a_key_has_its_hash_only():
    key = new_key()
    assert key.key not in key.entry
    assert hashlib.sha256(key.key.encode()).hexdigest() in key.entry


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name = ", "expected TOML"),
        (b"\xff", "expected TOML"),
        (b'[[caller]]\nname = "a"\npermissions = []\n', "caller.0.permissions"),
        (b'[[caller]]\nname = "a"\npermissions = ["everything"]\n', "caller.0.permissions.0"),
        (b'[[caller]]\nname = "a b"\npermissions = ["operate"]\n', "caller.0.name"),
        (b'[[caller]]\nname = "a"\npermissions = ["operate"]\nkey = [{id = "abcd", sha256 = "x"}]\n', "sha256"),
        (b'[[caller]]\nname = "a"\npermissions = ["operate"]\nsecret = "x"\n', "caller.0.secret"),
        (file_with("a", "a"), "twice"),
        (ISSUER.replace("RS256", "HS256").encode(), "issuer.0.algorithms"),
        (ISSUER.replace("RS256", "none").encode(), "issuer.0.algorithms"),
        (ISSUER.replace("https://login.example/jwks", "http://login.example/jwks").encode(), "issuer.0.keys"),
        ((ISSUER + ISSUER).encode(), "twice"),
        ((CALLER.format("a") + TOKEN).encode(), "issuer that is not in the file"),
        ((ISSUER + CALLER.format("a") + TOKEN + CALLER.format("b") + TOKEN).encode(), "two callers"),
        ((CALLER.format("a") + '[[caller.signature]]\nsecret_file = "/nowhere"\n').encode(), "/nowhere: can't be read"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_location_of_the_problem(content, problem):
    with pytest.raises(TomlInvalid, match=problem):
        read_callers(content)


def test_a_problem_of_the_file_shows_no_value():
    with pytest.raises(TomlInvalid) as caught:
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


@pytest.mark.parametrize("damage", [b"name = ", None])
def test_an_invalid_or_missing_file_leaves_the_last_version_and_sets_problem(tmp_path, damage):
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


def test_a_rejected_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path, reads = tmp_path / "callers.toml", []
    path.write_bytes(file_with("first"))
    callers = CallersFile(path)
    monkeypatch.setattr(toml_file.tomllib, "loads", lambda text: reads.append(text) or {"unknown": 1})
    path.write_bytes(b"version two")
    assert [callers.reread_if_changed() for _ in range(3)] == [False] * 3
    path.write_bytes(b"version three")
    assert not callers.reread_if_changed()
    assert reads == ["version two", "version three"]


def test_a_token_subject_identifies_its_caller():
    callers = read_callers((ISSUER + CALLER.format("desk") + TOKEN).encode())
    assert callers.by_subject(Subject("https://login.example", "client-1")).name == "desk"
    assert callers.by_subject(Subject("https://login.example", "client-2")) is None


def signing(path):
    return (CALLER.format("desk") + f'[[caller.signature]]\nsecret_file = "{path}"\n').encode()


def test_only_callers_with_signing_secrets_are_signers(tmp_path):
    (tmp_path / "secret").write_text("whsec_" + base64.b64encode(b"s" * 24).decode() + "\n")
    callers = read_callers(signing(tmp_path / "secret") + CALLER.format("other").encode())
    assert callers.signer("desk").signing_secrets == (b"s" * 24,)
    assert callers.signer("other") is callers.signer("nobody") is None


def test_a_file_is_read_again_when_its_missing_secret_appears(tmp_path):
    secret, path = tmp_path / "secret", tmp_path / "callers.toml"
    path.write_bytes(file_with("first"))
    callers = CallersFile(path)
    path.write_bytes(signing(secret))
    assert not callers.reread_if_changed()
    assert str(secret) in callers.problem
    assert callers.current.names == {"first"}
    secret.write_text("whsec_" + base64.b64encode(b"a" * 24).decode())
    assert callers.reread_if_changed()
    assert callers.current.names == {"desk"}
    assert not callers.reread_if_changed()


def test_a_changed_secret_is_read_and_an_invalid_one_is_ignored(tmp_path):
    secret, path = tmp_path / "secret", tmp_path / "callers.toml"
    secret.write_text("whsec_" + base64.b64encode(b"a" * 24).decode())
    path.write_bytes(signing(secret))
    callers = CallersFile(path)
    secret.write_text("nonsense!")
    assert not callers.reread_if_changed()
    assert "nonsense" not in callers.problem
    assert callers.current.signer("desk").signing_secrets == (b"a" * 24,)
    secret.write_text("whsec_" + base64.b64encode(b"b" * 32).decode())
    assert callers.reread_if_changed()
    assert callers.current.signer("desk").signing_secrets == (b"b" * 32,)


PEOPLE = """
[[people]]
issuer = "https://login.example"
name = "preferred_username"
groups = "groups"
[people.permissions]
staff = ["handoff:request", "handoff:close"]
on-call = ["operate"]
"""


def person(name, *groups):
    return Subject("https://login.example", "user-1", Person(name, frozenset(groups)))


def test_a_person_has_the_permissions_of_all_their_groups():
    callers = read_callers((ISSUER + PEOPLE).encode())
    caller = callers.by_subject(person("jo.miller", "staff", "on-call"))
    assert (caller.name, caller.person) == ("people:jo.miller", "jo.miller")
    assert caller.permissions == {Permission.HANDOFF_REQUEST, Permission.HANDOFF_CLOSE, Permission.OPERATE}
    assert callers.by_subject(person("sam.lee")).permissions == frozenset()
    assert callers.by_subject(Subject("https://login.example", "user-1")) is None
    assert callers.by_subject(Subject("https://another.example", "user-1", Person("jo", frozenset()))) is None


def test_the_claims_to_read_are_those_of_the_file():
    (issuer,) = read_callers((ISSUER + PEOPLE).encode()).issuers.values()
    assert issuer.people == PersonClaims("preferred_username", "groups", frozenset({"staff", "on-call"}))
    (without,) = read_callers(ISSUER.encode()).issuers.values()
    assert without.people is None


def test_people_may_have_a_rate_of_their_own():
    text = PEOPLE.replace("groups =", 'rate_per_second = 5\nburst = 9\nprefix = "staff"\ngroups =')
    caller = read_callers((ISSUER + text).encode()).by_subject(person("jo.miller"))
    assert (caller.name, caller.rate, caller.burst) == ("staff:jo.miller", 5, 9)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PEOPLE, "an entry of people names an issuer that is not in the file"),
        (
            ISSUER + PEOPLE + PEOPLE.replace("[[people]]", '[[people]]\nprefix = "p2"'),
            "an issuer of people occurs twice",
        ),
        (
            ISSUER + ISSUER.replace("login", "other") + PEOPLE + PEOPLE.replace("login", "other"),
            "a prefix of people occurs twice",
        ),
        (ISSUER + PEOPLE.replace("[[people]]", '[[people]]\nprefix = "a:b"'), "people.0.prefix"),
        (ISSUER + PEOPLE.replace("[[people]]", '[[people]]\nprefix = "staff:"'), "people.0.prefix"),
        (ISSUER + PEOPLE.replace("operate", "everything"), "people.0.permissions.on-call"),
        (ISSUER + PEOPLE[: PEOPLE.index("[people.permissions]")], "people.0.permissions"),
        (ISSUER + PEOPLE.replace('name = "preferred_username"', ""), "people.0.name"),
        (CALLER.format("people:jo.miller"), "caller.0.name"),
    ],
)
def test_a_wrong_entry_of_people_is_named(text, problem):
    with pytest.raises(TomlInvalid, match=problem):
        read_callers(text.encode())


def test_a_caller_with_a_signature_alone_cannot_use_other_permissions_than_those_of_commands(tmp_path):
    key = new_key()
    (tmp_path / "secret").write_text(new_signing_secret())
    signature = f'[[caller.signature]]\nsecret_file = "{tmp_path}/secret"\n'
    both = 'permissions = ["handoff:request", "operate", "authorization:read"]\n'
    callers = read_callers(
        f'[[caller]]\nname = "alone"\n{both}{signature}'
        f'[[caller]]\nname = "with-key"\n{both}{signature}{key.entry}'
        f'[[caller]]\nname = "commands"\npermissions = ["handoff:request"]\n{signature}'.encode()
    )
    assert callers.unusable_permissions() == {"alone": [Permission.AUTHORIZATION_READ, Permission.OPERATE]}


def test_a_service_may_have_its_own_handoffs_only():
    key = new_key()
    limited = CALLER.format("scheduling") + 'handoffs = "own"\n' + key.entry
    assert read_callers(limited.encode()).by_key(key.key, now=0).own_handoffs is True
    assert read_callers(file_with("scheduling", keys=[key])).by_key(key.key, now=0).own_handoffs is False
    with pytest.raises(TomlInvalid, match=r"caller\.0\.handoffs: Input should be 'own'"):
        read_callers(limited.replace('"own"', '"any"').encode())
