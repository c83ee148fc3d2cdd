import base64

import pytest

from consumers.deliverer.subscriptions_file import SubscriptionsFile
from runtime.toml_file import TomlInvalid
from schemas.cloudevents import Envelope

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"t" * 32).decode()


@pytest.fixture
def write(tmp_path):
    """Write a file with one subscription, changed by `changes`; return its path."""
    (tmp_path / "secret").write_text(SECRET)

    def one(more="", **changes):
        values = {
            "name": '"billing"',
            "url": '"https://hooks.example/collate?token=s3cret"',
            "since": "2026-11-27T00:00:00Z",
            "secret_files": f'["{tmp_path / "secret"}"]',
            **changes,
        }
        lines = [f"{key} = {value}" for key, value in values.items() if value is not None]
        path = tmp_path / "subscriptions.toml"
        path.write_text("\n".join(["[[subscription]]", *lines, more, ""]))
        return path

    return one


def test_a_subscription_has_defaults(write):
    (subscription,) = SubscriptionsFile(write()).current.values()
    assert subscription.target.path == "/collate?token=s3cret"
    assert subscription.secrets == (b"s" * 24,)
    assert (subscription.timeout_seconds, subscription.gives_up_after_seconds) == (15, 86_400)
    assert subscription.since == 1_795_737_600
    assert "s3cret" not in repr(subscription)
    assert "ssss" not in repr(subscription)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": '"Billing"'}, "name"),
        ({"name": '"a.b"'}, "name"),
        ({"since": "2026-11-27T00:00:00"}, "since"),
        ({"since": None}, "since"),
        ({"url": '"http://hooks.example/s3cret"'}, "https"),
        ({"url": '"https://u:s3cret@hooks.example/"'}, "password"),
        ({"url": '"https://10.0.0.1/s3cret"'}, "not public"),
        ({"url": '"https://[::1]/s3cret"'}, "not public"),
        ({"url": '"https://hooks.example:22/s3cret"'}, "port"),
        ({"secret_files": "[]"}, "secret_files"),
        ({"secret_files": '["/does/not/exist"]'}, "can't be read"),
        ({"types": '["nonsense.s3cret"]'}, "types"),
        ({"timeout": '"90s"'}, "timeout"),
        ({"give_up_after": '"8d"'}, "give_up_after"),
        ({"max_in_flight": "0"}, "max_in_flight"),
        ({"allowed_networks": '["0.0.0.0/0"]'}, "allowed_networks"),
        ({"allowed_networks": '["10.0.0.1/8"]'}, "allowed_networks"),
        ({"secret": '"s3cret"'}, "secret"),
        ({"ca_file": '"/does/not/exist"'}, "can't be read"),
    ],
)
def test_an_invalid_file_is_refused_and_its_values_are_not_shown(write, changes, problem):
    with pytest.raises(TomlInvalid) as refused:
        SubscriptionsFile(write(**changes))
    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_name_twice_is_refused(write):
    path = write()
    path.write_text(path.read_text() * 2)
    with pytest.raises(TomlInvalid, match="twice"):
        SubscriptionsFile(path)


def test_all_problems_are_listed(write):
    with pytest.raises(TomlInvalid) as refused:
        SubscriptionsFile(write(types='["x"]', max_in_flight="0"))
    assert "types" in str(refused.value)
    assert "max_in_flight" in str(refused.value)


def test_an_invalid_new_version_leaves_the_old_one(write, tmp_path):
    file = SubscriptionsFile(write())
    before = file.current
    write(timeout='"0s"')
    assert not file.reread_if_changed()
    assert "timeout" in file.problem
    assert file.current is before
    write(timeout='"7s"')
    assert file.reread_if_changed()
    assert file.problem is None
    assert file.current["billing"].timeout_seconds == 7
    assert not file.reread_if_changed()


def test_a_changed_secret_is_read(write, tmp_path):
    file = SubscriptionsFile(write())
    (tmp_path / "secret").write_text(OTHER)
    assert file.reread_if_changed()
    assert file.current["billing"].secrets == (b"t" * 32,)
    (tmp_path / "secret").write_text("nonsense")
    assert not file.reread_if_changed()
    assert "nonsense" not in file.problem
    assert file.current["billing"].secrets == (b"t" * 32,)


def test_a_filter_needs_each_key_with_one_of_its_values(write):
    more = '[subscription.metadata]\ntenant = ["t1", "t2"]\nsite = ["s"]'
    (subscription,) = SubscriptionsFile(write(more=more, callers='["intake"]')).current.values()

    def accepts(data):
        return subscription.accepts.accepts(Envelope("1", "/s", "t", data=data))

    assert accepts(b'{"caller":"intake","metadata":{"tenant":"t2","site":"s","more":"x"}}')
    assert not accepts(b'{"caller":"other","metadata":{"tenant":"t2","site":"s"}}')
    assert not accepts(b'{"caller":"intake","metadata":{"tenant":"t3","site":"s"}}')
    assert not accepts(b'{"caller":"intake","metadata":{"tenant":"t2"}}')
    assert not accepts(b'{"caller":"intake"}')
    assert not accepts(b"[]")
    assert not accepts(None)
