"""The figures with which docs/capacity.md calculates; the page shows each of them.

They come from a small machine. `make bench` measures them on another one.
"""

from typing import Final

# Time.
DAY_SECONDS: Final = 86_400
HOUR_SECONDS: Final = 3_600
BUSIEST_HOUR: Final = 0.2
"""The share of a day's commands."""

# Calls and requests.
CALLS_PER_COMMAND: Final = 2.5
"""One read and one write."""
COMMANDS_PER_HANDOFF: Final = 2
"""One opens the handoff, one closes it."""
REQUESTS_PER_COMMAND: Final = 4
"""The command, its status, and for a handoff the review snapshot and a link."""
ACCESS_SECONDS: Final = 60
"""From the opening of a handoff until its operator has access."""
HANDOFF_SECONDS: Final = 900
RECONCILE_SECONDS: Final = 300
PROCESSING_SECONDS: Final = 600
"""From the end of a reconciliation until the authorization waits for the payer."""
CALLS_PER_OBSERVATION_OF_HANDOFF: Final = 2

# One process does so much in a second; Collate takes so long for a call.
WORKER_COMMANDS: Final = 200
WORKER_OBSERVATIONS: Final = 700
INGRESS_REQUESTS: Final = 1_500
CALL_SECONDS: Final = 0.5

# Processes.
RESERVE: Final = 2
"""Room for a failed process and for a backlog."""
LEAST_REPLICAS: Final = 2
ROLLING_UPDATE: Final = 1
"""An update of ingress starts one more process before it stops an old one."""
PARTITIONS: Final = 12
WORKERS_PER_PARTITIONS: Final = 2
"""More partitions than workers, so that an installation can grow."""

MOST_WORKERS: Final = 100
"""More workers only to get a larger share of Collate's calls make no sense."""
LEAST_MILLICORES: Final = 500

# Memory.
LEAST_REQUEST_MIB: Final = 384
LEAST_LIMIT_MIB: Final = 1024
"""The defaults of the chart."""
WORKER_MIB: Final = 150
STATE_KIB: Final = 1.3
STATE_PARTS: Final = 4
"""Watched authorizations take a quarter of the limit, unknown ones another."""
READ_AHEAD_MIB: Final = 16
"""The unfinished records of a partition: `READ_AHEAD_BYTES` of the worker."""
MEMORY_STEP_MIB: Final = 64

# Disk.
RECORD_KIB: Final = 1
EVENTS_PER_HANDOFF: Final = 8
RECORDS_PER_COMMAND: Final = 2
"""The command, and the record of a read or a link."""
COMPACTED_COPIES: Final = 2
"""Compaction keeps the old copy of a segment until the new one is complete."""
COMPACTION_LAG_HOURS: Final = 6
SEGMENT_MIB: Final = 16
ROW_KIB: Final = 1
ROWS_PER_COMMAND: Final = 12
"""Rows of the timeline with their indexes: acceptance, attempts and events."""
ROWS_PER_UNKNOWN_COMMAND: Final = 4
"""The command, its acceptance, one call and its end."""
COPIES: Final = 3
READ_MODEL_DAYS: Final = 90
