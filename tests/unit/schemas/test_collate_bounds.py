"""Collate's numbers have bounds where they enter: the read model cannot store a larger one."""

import pytest
from pydantic import ValidationError

from schemas.collate.authorization import PriorAuthorization


@pytest.mark.parametrize(
    ("version", "is_read"), [(0, True), (2**53 - 1, True), (2**53, False), (10**19, False), (-1, False)]
)
def test_a_version_outside_its_bounds_is_unreadable(version, is_read):
    read = {"id": "auth_1", "version": version, "status": "completed"}
    if is_read:
        assert PriorAuthorization.model_validate(read).version == version
        return
    with pytest.raises(ValidationError):
        PriorAuthorization.model_validate(read)
