"""The cases, in the order in which they run on a cluster. A docstring is the first line of the transcript."""

from tests.cluster import changes, installing, networks, nodes, outages, rotation, scaling

CASES = {
    "install": installing.install,
    "story": installing.story,
    "security": installing.security,
    "networks": networks.networks,
    "rolling-upgrade": changes.rolling_upgrade,
    "two-steps-rolled-back": changes.two_steps_rolled_back,
    "failed-upgrade-rolled-back": changes.failed_upgrade_rolled_back,
    "other-chart-rolled-back": changes.other_chart_rolled_back,
    "pod-killed": changes.pod_killed,
    "node-drained": changes.node_drained,
    "workers-scaled": changes.workers_scaled,
    "autoscaled": scaling.autoscaled,
    "arbitrary-user": installing.arbitrary_user,
    "memory-limit": changes.memory_limit,
    "secret-rotated": rotation.secret_rotated,
    "kafka-password-rotated": rotation.kafka_password_rotated,
    "kafka-authority-rotated": rotation.kafka_authority_rotated,
    "database-away": outages.database_away,
    "kafka-away": outages.kafka_away,
    "uninstalled": installing.uninstalled,
    "node-cut-off": nodes.node_cut_off,
    "node-drained-without-kafka": nodes.node_drained_without_kafka,
    "node-lost": nodes.node_lost,
}
# The others run on one node.
NODES = dict.fromkeys(("node-cut-off", "node-drained-without-kafka", "node-lost"), 3)
