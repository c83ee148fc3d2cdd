"""All settings of all processes. docs/configuration.md and the chart's schema are generated from their descriptions.

A setting is an environment variable: GATEWAY_ + section + __ + name (GATEWAY_KAFKA__BOOTSTRAP). A secret is
always a file (`…_file`), read when it is needed, so that a rotated file needs no restart. Durations: 30s, 5m.

To add a setting, add a field to its section and run `make docs`: docs_build/chart_schema.py writes it into the chart's
schema, and helm/gateway/templates/settings.yaml passes it to the processes.

One module per subject has the sections. `processes` puts them together for each process; `load` reads them.
"""

from runtime.settings.collate import CollateSettings
from runtime.settings.console import ConsoleSettings
from runtime.settings.deliverer import DelivererSettings
from runtime.settings.ingress import IngressSettings
from runtime.settings.kafka import MOST_PHI_KEYS, KafkaSettings, TopicSettings
from runtime.settings.load import (
    load_access_settings,
    load_cluster_settings,
    load_console_settings,
    load_deliverer_settings,
    load_process_settings,
    load_settings,
    read_secret,
    value_at,
)
from runtime.settings.operations import AdminSettings, LogSettings, TraceSettings
from runtime.settings.processes import (
    AccessSettings,
    ClusterSettings,
    ConsoleProcessSettings,
    DelivererProcessSettings,
    ProcessSettings,
    Settings,
)
from runtime.settings.read_model import ReadModelSettings
from runtime.settings.watch import WatchSettings
from runtime.settings.worker import WorkerSettings
