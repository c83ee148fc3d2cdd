"""Traces: the interface, the attributes that a span may carry, and the OTLP exporter."""
