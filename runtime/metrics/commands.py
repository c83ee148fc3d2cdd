"""Metrics of commands and of the watcher's reads."""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from runtime.metrics.factory import SLOW_SECONDS, MetricFactory


@dataclass(frozen=True, slots=True)
class CommandMetrics:
    """Metrics of commands and observations."""

    finished: Counter
    finish_seconds: Histogram
    dead_letters: Counter
    key_conflicts: Counter
    caller_share_exceeded: Counter
    waiting_events: Counter
    intents_resent: Counter
    double_effects: Counter
    observations: Counter
    observation_slowdown: Gauge


def create_command_metrics(make: MetricFactory) -> CommandMetrics:
    """Create the metrics of commands and observations."""
    return CommandMetrics(
        finished=make.counter(
            "commands_finished", "Finished commands, by command, outcome and effect.", ("command", "outcome", "effect")
        ),
        finish_seconds=make.histogram(
            "command_finish_seconds", "Time from a command's acceptance to its outcome.", ("command",), SLOW_SECONDS
        ),
        dead_letters=make.counter("dead_letters", "Commands that became dead letters, by cause.", ("cause",)),
        key_conflicts=make.counter("command_key_conflicts", "Commands whose key was used with another body before."),
        caller_share_exceeded=make.counter(
            "caller_share_exceeded", "Commands not applied because their caller filled its share of recent commands."
        ),
        waiting_events=make.counter("command_waiting", "`command.waiting` events, by reason.", ("reason",)),
        intents_resent=make.counter(
            "intents_resent", "Writes resent because a crash or a timeout lost their response."
        ),
        double_effects=make.counter(
            "double_effects",
            "Creates that may have taken effect twice despite key and precondition. Alert on any; then count the "
            "authorization's handoffs at Collate, because a concurrent change by another actor looks the same.",
        ),
        observations=make.counter(
            "observations",
            "Reads by the watcher, by result (news, nothing, held, not_found, unreadable, stale, no_answer).",
            ("result",),
        ),
        observation_slowdown=make.gauge(
            "observation_stretch",
            "Factor by which the watcher's intervals are longer than set, because the call budget is too small.",
        ),
    )
