import pytest

from local.failures import NotPossible, StartFailed, exit_code


@pytest.mark.parametrize(
    ("outcome", "code"), [(None, 0), (3, 3), (StartFailed("the port is taken"), 1), (NotPossible("no root"), 69)]
)
def test_a_verb_ends_with_its_code_or_with_that_of_its_failure_which_is_printed(outcome, code, capsys):
    def verb():
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert exit_code(verb) == code
    assert capsys.readouterr().err == (f"{outcome}\n" if isinstance(outcome, Exception) else "")


def test_another_exception_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)
