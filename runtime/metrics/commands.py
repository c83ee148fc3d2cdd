"""Metrics of commands and of the watcher's reads."""

from runtime.metrics.group import SLOW_SECONDS, MetricGroup, counter, gauge, histogram


class CommandMetrics(MetricGroup):
    """Metrics of commands and observations."""

    finished = counter("commands_finished", "Finished commands.", ("command", "outcome", "effect"))
    finish_seconds = histogram(
        "command_finish_seconds", "Time from a command's acceptance to its outcome.", ("command",), SLOW_SECONDS
    )
    dead_letters = counter("dead_letters", "Commands that became dead letters.", ("cause",))
    discards_ignored = counter("discards_ignored", "Discards whose dead letter had ended or been redriven before.")
    key_conflicts = counter("command_key_conflicts", "Commands whose key was used with another body before.")
    caller_share_exceeded = counter(
        "caller_share_exceeded", "Commands not applied because their caller filled its share of recent commands."
    )
    waiting_events = counter("command_waiting", "`command.waiting` events.", ("reason",))
    intents_resent = counter("intents_resent", "Writes resent because a crash or a timeout lost their response.")
    double_effects = counter(
        "double_effects",
        "Creates that may have taken effect twice despite key and precondition. Alert on any.",
    )
    observations = counter(
        "observations",
        "Reads by the watcher, by result (news, nothing, held, not_found, unreadable, stale, no_answer).",
        ("result",),
    )
    observation_slowdown = gauge(
        "observation_slowdown",
        "Factor by which the watcher's intervals are longer than set, because the call budget is too small. Idle "
        "authorizations (processing, action, payer) are slowed first.",
        ("priority",),
    )
