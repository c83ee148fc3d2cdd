import pytest
from prometheus_client import CollectorRegistry

from runtime.metrics import create_metrics


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return create_metrics(registry).ingress
