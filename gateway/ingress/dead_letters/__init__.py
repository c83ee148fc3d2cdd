"""Dead letters over HTTP: list, show, redrive and discard."""
