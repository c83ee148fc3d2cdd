"""The bounds of an invocation's result: each limit itself is allowed, and one byte more is not."""

import pytest

from consumers.engine.core.limits import LARGEST_RECORD, InvocationLimits, ResultTooLarge, validate
from consumers.engine.interface import UNCHANGED, Done, HandlerFailure, Output, RetryAt

LIMITS = InvocationLimits(state_bytes=2_000_000, outputs_bytes=1_000_000, first_retry_seconds=0.5)
KEY = b"key"


def output(size, key=KEY, **more):
    return Output("events", key, bytes(size), **more)


def test_the_size_is_that_of_keys_values_headers_and_the_state():
    headers = (("n", b"12"), ("ä", b""))
    assert LIMITS.measure(KEY, None, ()) == 0
    assert LIMITS.measure(KEY, b"1234", ()) == 4
    assert LIMITS.measure(KEY, None, (output(5), output(2, headers=headers))) == 8 + 5 + 5
    assert LIMITS.measure(KEY, b"1234", (Output("events", KEY, None),)) == 7


def test_the_largest_state_record():
    fits = LARGEST_RECORD - len(KEY)
    assert LIMITS.measure(KEY, bytes(fits), ()) == fits
    with pytest.raises(ResultTooLarge, match=f"{LARGEST_RECORD + 1} bytes"):
        LIMITS.measure(KEY, bytes(fits + 1), ())


def test_the_largest_state_of_a_key():
    limits = InvocationLimits(state_bytes=10)
    assert limits.measure(KEY, bytes(10), ()) == 10
    with pytest.raises(ResultTooLarge, match="11 bytes"):
        limits.measure(KEY, bytes(11), ())


def test_the_largest_output():
    fits = LARGEST_RECORD - len(KEY)
    assert LIMITS.measure(KEY, None, (output(fits),)) == LARGEST_RECORD
    with pytest.raises(ResultTooLarge, match="for events"):
        LIMITS.measure(KEY, None, (output(fits + 1),))


def test_the_most_bytes_of_one_invocation():
    half = 500_000 - len(KEY)
    assert LIMITS.measure(KEY, None, (output(half), output(half))) == 1_000_000
    with pytest.raises(ResultTooLarge, match="1000001 bytes"):
        LIMITS.measure(KEY, b"1", (output(half), output(half)))


@pytest.mark.parametrize(
    ("state", "outputs"),
    [
        pytest.param("text", (), id="a state that is text"),
        pytest.param(None, [], id="a list of outputs"),
        pytest.param(None, (("events", KEY, b""),), id="a tuple that is no output"),
        pytest.param(None, (Output(b"events", KEY, b""),), id="a topic of bytes"),
        pytest.param(None, (Output("events", "key", b""),), id="a key that is text"),
        pytest.param(None, (Output("events", KEY, "value"),), id="a value that is text"),
        pytest.param(None, (Output("events", KEY, b"", []),), id="a list of headers"),
        pytest.param(None, (Output("events", KEY, b"", (("name", "text"),)),), id="a header that is text"),
        pytest.param(None, (Output("events", KEY, b"", ((b"name", b""),)),), id="a header's name of bytes"),
    ],
)
def test_what_the_producer_cannot_write_is_refused_before_a_transaction(state, outputs):
    with pytest.raises(TypeError):
        LIMITS.measure(KEY, state, outputs)


def test_the_pause_doubles_with_each_failure_up_to_the_last():
    assert [LIMITS.pause_after(failures) for failures in (1, 2, 3, 7, 8, 9, 5_000)] == [
        *(0.5, 1.0, 2.0, 32.0),
        *(60.0, 60.0, 60.0),
    ]


@pytest.mark.parametrize(
    "result", [Done(), Done(timer_at=0.0), Done(state=UNCHANGED), RetryAt(1.0, HandlerFailure.RAISED)]
)
def test_a_valid_result_is_returned(result):
    assert validate(result) is result


@pytest.mark.parametrize(
    "result",
    [
        None,
        Done,
        Done(timer_at=float("nan")),
        Done(timer_at=float("inf")),
        RetryAt(float("inf"), HandlerFailure.RAISED),
        RetryAt(1.0, "raised"),
    ],
    ids=str,
)
def test_another_result_is_refused(result):
    with pytest.raises(TypeError):
        validate(result)
