import pytest

from adapters.collate.credentials import ApiKey


@pytest.fixture
def file(tmp_path):
    return tmp_path / "key"


def look(key, clock):
    clock.now += 1.0
    return key.refresh()


def value(key):
    return key.key and key.key.get_secret_value()


def test_a_key_is_read_and_read_again_when_its_file_changes(file, clock):
    file.write_text("sk_one\n")
    key = ApiKey(file, monotonic=clock)
    assert look(key, clock)
    assert value(key) == "sk_one"
    assert not look(key, clock)
    file.write_text("sk_two")
    assert look(key, clock)
    assert value(key) == "sk_two"


def test_the_file_is_checked_at_most_once_a_second(file, clock):
    file.write_text("sk_one")
    key = ApiKey(file, monotonic=clock)
    assert key.refresh()
    file.write_text("sk_two")
    clock.now += 0.5
    assert not key.refresh()
    clock.now += 0.5
    assert key.refresh()


@pytest.mark.parametrize("bad", [b"", b"\n", b"two\nlines", b"a b", b"caf\xc3\xa9", b"\xff\xfe", b"x" * 5_000])
def test_an_unusable_file_keeps_the_old_key_and_is_logged_once_without_it(file, clock, bad, capsys):
    file.write_text("sk_one")
    key = ApiKey(file, monotonic=clock)
    look(key, clock)
    file.write_bytes(bad)
    for _ in range(3):
        assert not look(key, clock)
    assert value(key) == "sk_one"
    said = capsys.readouterr()
    text = said.out + said.err
    assert text.count("collate.key_rejected") == 1
    assert "sk_one" not in text
    file.write_text("sk_two")
    assert look(key, clock)


def test_a_missing_file_means_no_key_until_it_exists(file, clock):
    key = ApiKey(file, monotonic=clock)
    assert not look(key, clock)
    assert key.key is None
    file.write_text("sk_one")
    assert look(key, clock)
