"""gateway dead-letters: list, show, redrive and discard."""
