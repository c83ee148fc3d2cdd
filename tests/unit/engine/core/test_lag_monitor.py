from consumers.engine.core.lag_monitor import LagMonitor
from consumers.engine.core.offset_tracker import Committed


def test_before_the_first_session_no_record_is_finished():
    monitor = LagMonitor()
    assert (monitor.log_end, monitor.watermark, monitor.oldest) == (0, 0, None)


def test_without_a_timestamp_the_age_counts_from_the_first_read_that_shows_a_record():
    monitor = LagMonitor()
    for log_end, now in ((5, 100.0), (7, 103.0)):
        monitor.observe(log_end, 4, now)
    assert (monitor.log_end, monitor.watermark, monitor.oldest) == (7, 4, 100.0)
    monitor.observe(7, 7, 106.0)
    assert monitor.oldest is None


def test_a_session_leaves_its_oldest_record_until_fetching_resumes():
    monitor = LagMonitor()
    monitor.session_ended(Committed(3, ""), 50.0)
    monitor.observe(5, 3, 100.0)
    assert (monitor.watermark, monitor.oldest) == (3, 50.0)
    monitor.fetching(7)
    assert monitor.oldest is None
