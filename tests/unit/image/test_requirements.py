import pytest

from local.image.requirements import NotPossible, require


def test_everything_that_is_missing_is_named_at_once():
    with pytest.raises(NotPossible) as missing:
        require("make image", {"no-such-program": "its-package", "sh": "dash"}, is_root=False)
    assert "`make image` cannot run here" in str(missing.value)
    assert "root" in str(missing.value)
    assert str(missing.value).endswith("apt-get install --no-install-recommends its-package")


def test_nothing_is_raised_where_the_verb_can_run():
    require("make image", {"sh": "dash"}, is_root=True)
