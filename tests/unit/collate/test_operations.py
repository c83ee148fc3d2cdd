from base64 import b32encode
from hashlib import sha256

import pytest

from adapters.collate.operations import Operation, close_version, if_match, write_key

COMMAND = "0e8f5b4e-7a53-5f0e-9a4e-3a1f6f3f2b11"

# Golden: a change here turns every write in flight into a second one.
GOLDEN = {
    ("create", 1): "cg1-vm7vio5i5zadb63ha7u3twu4w3lrfpkaddqrpylpif5mxont2ngq",
    ("create", 2): "cg1-jtyyldzklvrmzkcqv3yw7fuiilkfb7ev6m5jqrdz3bjrbm64g3dq",
    ("complete", 1): "cg1-kpcib63isui6vq45jeh6tnvk3uslsrt2mfbrpfrisw6btwfasucq",
    ("unable-to-complete", 1): "cg1-nyzmkzxaepkii3u67yg5gzqy4l3r7mizh7rtyr3gtj6gyyg43bqa",
    ("revoke", 8): "cg1-p224ev4iqeyev33xqsbdmngypsxhfopel7f5anun4appqcu3pabq",
    ("mint-grant", 1): "cg1-umdyjchpsuxzgn4ohkusaco725dxtjntyhm2lz53ojxzd5ntxo2q",
}


@pytest.mark.parametrize(("operation", "n"), GOLDEN)
def test_a_key_never_changes(operation, n):
    assert write_key(COMMAND, Operation(operation), n) == GOLDEN[operation, n]


def test_a_key_has_the_documented_format():
    text = f'["{COMMAND}","create",1]'.encode()
    expected = "cg1-" + b32encode(sha256(text).digest()).decode().rstrip("=").lower()
    assert write_key(COMMAND, Operation.CREATE_HANDOFF, 1) == expected


def test_command_operation_and_n_each_change_the_key():
    keys = {write_key(c, o, n) for c in ("a", "b") for o in Operation for n in range(1, 9)}
    assert len(keys) == 2 * len(Operation) * 8


def test_if_match_is_a_strong_quoted_tag():
    assert if_match(17) == '"17"'


def test_the_setting_says_whose_version_a_close_matches():
    assert close_version("authorization", 23, 2) == 23
    assert close_version("handoff", 23, 2) == 2
