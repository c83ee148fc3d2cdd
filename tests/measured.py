"""What a metric of prometheus_client says, read as Prometheus would read it."""


def value_of(metric):
    """Return the value of a counter or gauge, or of one of its children: `value_of(metrics.fenced.labels("lost"))`."""
    (family,) = metric.collect()
    return family.samples[0].value
