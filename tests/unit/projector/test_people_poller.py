from prometheus_client import CollectorRegistry

from adapters.postgres.people_numbers import PeopleNumbers
from consumers.projector.people_poller import PeoplePoller
from runtime.metrics import Metrics, PayerLabels
from runtime.settings import ReadModelSettings


def test_every_series_has_a_value_and_goes_back_to_zero():
    registry = CollectorRegistry()
    poller = PeoplePoller(ReadModelSettings(), Metrics(registry).people, PayerLabels(("payer_a",)))

    def value(name, **labels):
        return registry.get_sample_value(f"collate_gateway_{name}", labels)

    def shown():
        return (
            [value("people_waiting", age=age) for age in ("15m", "1h", "4h", "1d", "longer")],
            [value("people_waiting_payers", payer=payer) for payer in ("payer_a", "other", "unknown")],
            [value("handoffs_at_risk", risk=risk) for risk in ("grant_expired", "not_entered", "other")],
            (value("people_waiting_oldest_seconds"), value("handoffs_open")),
            [value("people_turned_away", payer=payer) for payer in ("payer_a", "other", "unknown")],
        )

    zeros = [0] * 5, [0] * 3, [0] * 3, (0, 0), [0] * 3
    assert shown() == zeros
    waiting = {"15m": 2, "longer": 3}
    payers = {"payer_a": 1, "payer_b": 2, "payer_c": 1, None: 1}
    turned_away = {"payer_a": 4, "payer_b": 3, "payer_c": 5}
    poller.show(PeopleNumbers(waiting, payers, 90_000.0, 7, {"grant_expired": 2, "a_new_reason": 1}, turned_away))
    assert shown() == ([2, 0, 0, 0, 3], [1, 3, 1], [2, 0, 1], (90_000.0, 7), [4, 8, 0])
    assert value("people_waiting_payers", payer="payer_b") is value("people_turned_away", payer="payer_b") is None
    poller.show(PeopleNumbers())
    assert shown() == zeros
