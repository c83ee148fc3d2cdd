"""Bodies of the HTTP interface other than commands and events."""
