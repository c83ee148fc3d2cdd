"""Bodies of the HTTP interface that are neither commands nor events."""
