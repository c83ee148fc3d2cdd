"""Keys from a file: which key opens, and when a changed file is read. test_sessions.py of the console rotates keys."""

import secrets

from runtime.credentials.key_ring import KeyRing, key_id_of
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


def test_a_key_id_that_is_none_of_ours_is_not_repeated(tmp_path):
    (file := tmp_path / "keys").write_text(secrets.token_urlsafe(32))
    found = KeyRing(file, 8).open("p", "eyJraWQiOiJNcyBEb2UifQ....")  # {"kid":"Ms Doe"}
    assert isinstance(found, Unopened)
    assert found.problem.endswith("found none")
