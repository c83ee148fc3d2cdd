"""The examples of the OpenAPI document, which `examples.yaml` has."""

from pathlib import Path
from typing import Any, Final

import yaml

Json = dict[str, Any]

_ALL: Final[Json] = yaml.safe_load(Path(__file__).with_name("examples.yaml").read_text(encoding="utf-8"))
EXAMPLES: Final[Json] = _ALL["bodies"]
EVENT_EXAMPLES: Final[Json] = _ALL["events"]
BATCH_EXAMPLES: Final[Json] = _ALL["batches"]
RESULT_EXAMPLES: Final[Json] = _ALL["results"]
SIGNED_PROBLEMS: Final[dict[int, Json]] = _ALL["problems"]
