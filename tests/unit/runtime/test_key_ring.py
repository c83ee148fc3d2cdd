"""Keys from a file: which key opens, and when a changed file is read. test_sessions.py of the console rotates keys."""

import base64
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from local.phi_keys import keys_of
from runtime.credentials.key_ring import KeyFileError, KeyRing, key_id_of, read_keys
from schemas.fields.scalars import word
from schemas.sealing import Unopened


def test_a_key_that_another_process_uses_first_is_read_at_once(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    ours.write_text(old)
    theirs.write_text(new)
    ring = KeyRing(ours, 8, lambda: 0.0)  # no second passes
    sealed = KeyRing(theirs, 8).seal("p", b"content")
    missing = ring.open("p", sealed)
    assert isinstance(missing, Unopened)
    assert key_id_of(sealed) in missing.problem
    ours.write_text(f"{old}\n{new}\n")
    assert ring.open("p", sealed) == b"content"


def test_a_line_may_have_the_day_of_the_first_use_of_its_key(tmp_path):
    (file := tmp_path / "keys").write_text(f"{secrets.token_urlsafe(32)} 2026-06-01\n\n{secrets.token_urlsafe(32)}\n")
    assert len(read_keys(file, 2)) == 2
    for line in ("2026-06-01", "{key} soon", "{key} 2026-06-01 {key}"):
        file.write_text(line.format(key=secrets.token_urlsafe(32)))
        with pytest.raises(KeyFileError, match="a day like 2026-06-01"):
            read_keys(file, 2)


def test_a_key_id_that_is_none_of_ours_is_not_repeated(tmp_path):
    (file := tmp_path / "keys").write_text(secrets.token_urlsafe(32))
    found = KeyRing(file, 8).open("p", "eyJraWQiOiJNcyBEb2UifQ....")  # {"kid":"Ms Doe"}
    assert isinstance(found, Unopened)
    assert found.problem.endswith("found none")


def test_a_digest_is_found_after_a_rotation_and_names_its_key():
    new, old = (secrets.token_urlsafe(32) for _ in range(2))
    before, after = keys_of(f"{old}\n{new}"), keys_of(f"{new}\n{old}")
    digest = before.digests(b"body")[0]
    assert (len(digest), word(digest), digest[:4]) == (16, digest, before.ids[0][:4])
    assert after.digests(b"body") == before.digests(b"body")[::-1]
    assert digest not in after.digests(b"other")


# joserfc opens no header above 1 KiB.
@given(st.text(max_size=60), st.binary(max_size=200))
def test_joserfc_opens_what_we_seal_and_writes_what_we_open(purpose, content):
    text = secrets.token_urlsafe(32)
    keys, peer = keys_of(text), OctKey.import_key(base64.urlsafe_b64decode(text + "="))
    registry = jwe.JWERegistry(algorithms=["dir", "A256GCM"])
    opened = jwe.decrypt_compact(keys.seal(purpose, content), peer, registry=registry)
    header = {"alg": "dir", "enc": "A256GCM", "kid": keys.ids[0], "typ": purpose}
    assert (opened.protected, opened.plaintext) == (header, content)
    assert keys.open(purpose, jwe.encrypt_compact(header, content, peer, registry=registry)) == content


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"enc": "A128GCM"}, {"typ": "other"}, {"crit": ["x"]}, {"zip": "DEF"}]
)
def test_no_other_header_opens(header):
    keys = keys_of(secrets.token_urlsafe(32))
    own = {"alg": "dir", "enc": "A256GCM", "kid": keys.ids[0], "typ": "p"}
    text = base64.urlsafe_b64encode(json.dumps(own | header, separators=(",", ":")).encode()).decode().rstrip("=")
    sealed = keys.seal("p", b"content").split(".")
    assert isinstance(keys.open("p", ".".join([text, *sealed[1:]])), Unopened)
