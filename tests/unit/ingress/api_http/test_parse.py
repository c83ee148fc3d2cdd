"""`parse` rejects a repeated name, of which the model alone would take the last value."""

import pytest

from gateway.ingress.api_http.api_problems import MalformedJson
from gateway.ingress.api_http.request import parse
from schemas.commands import AuthorizationWatch, HandoffCloseBody, HandoffRequest


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (HandoffRequest, b'{"requestedBy": "op-7", "requestedBy": "op-7"}'),
        (HandoffRequest, b'{"requestedBy": "op-7", "requested\\u0042y": "op-8"}'),
        (HandoffCloseBody, b'{"result": {"type": "revoked", "reason": "a", "reason" : "b"}}'),
        (AuthorizationWatch, b'{"metadata": {"a": "b", "a": "c"}}'),
        (AuthorizationWatch, b'{"metadata": null, "metadata": null}'),
    ],
)
def test_a_name_twice_is_rejected_at_any_depth(model, body):
    model.from_caller(body)
    with pytest.raises(MalformedJson, match="same name twice"):
        parse(model, body)
