from gateway.ingress.webhooks import combined
from schemas.model import Model


def report(name="billing", state="delivering", **changes):
    own = {
        "name": name,
        "url": "https://hooks.example",
        "state": state,
        "oldestSeconds": 0.0,
        "lag": 0,
        "lastAnswer": None,
        "delivered": 0,
        "deadLetters": 0,
    }
    return own | changes


def partitions(*subscriptions):
    return {"subscriptions": list(subscriptions)}


def test_the_replicas_of_a_subscription_are_one_row_with_the_worst_state():
    old = {"result": "delivered", "status": 204, "agoSeconds": 60.0}
    new = {"result": "status_5xx", "status": 500, "agoSeconds": 1.5}
    webhooks = combined(
        [
            partitions(report(oldestSeconds=3.0, lag=2, delivered=5, lastAnswer=old)),
            partitions(report(state="down", oldestSeconds=70.0, lag=9, delivered=1, deadLetters=1, lastAnswer=new)),
            None,
        ]
    )
    assert isinstance(webhooks, Model)
    (row,) = webhooks.subscriptions
    assert (row.state, row.oldest_seconds, row.undelivered, row.delivered, row.dead_letters) == ("down", 70.0, 11, 6, 1)
    assert (row.last_answer.result, row.last_answer.status) == ("status_5xx", 500)
    assert webhooks.unreachable == 1


def test_an_unknown_state_is_the_worst():
    assert combined([partitions(report()), partitions(report(state="new"))]).subscriptions[0].state == "new"
