from datetime import timedelta
from pathlib import Path

from consumers.applier import dry_run
from consumers.applier.settings import ApplierSettings
from runtime.settings import CollateSettings, WorkerSettings


def test_every_setting_reaches_the_applier():
    worker = WorkerSettings(
        request_expiry=timedelta(seconds=61),
        command_max_age=timedelta(seconds=3_602),
        waiting_after=timedelta(seconds=3),
        watch_max_age=timedelta(seconds=86_404),
    )
    collate = CollateSettings(
        base_url="https://collate.example",
        api_key_file=Path(__file__),
        key_retention=timedelta(seconds=3_605),
        if_match_on_close="handoff",
        if_match_is_honoured=False,
    )
    assert ApplierSettings.of(worker, collate, b"k") == ApplierSettings(
        digest_key=b"k",
        request_expiry_seconds=61.0,
        command_max_age_seconds=3_602.0,
        waiting_after_seconds=3.0,
        watch_seconds=86_404.0,
        key_retention_seconds=3_605.0,
        if_match_on_close="handoff",
        if_match_is_honoured=False,
    )


def test_the_dry_run_assumes_the_key_retention_of_the_default_settings():
    assert (
        dry_run.KEY_RETENTION.total_seconds() == ApplierSettings(digest_key=b"k" * 32).key_retention_seconds == 86_400
    )
