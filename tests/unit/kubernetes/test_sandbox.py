from local.kubernetes import sandbox


def test_the_control_groups_of_both_versions_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "CGROUPS", tmp_path)
    for name in ("cpu", "memory", "empty"):
        (tmp_path / name).mkdir()
    for name in ("cpu", "memory"):
        (tmp_path / name / "cgroup.procs").touch()
    assert sorted(one.name for one in sandbox.hierarchies()) == ["cpu", "memory"]
    (tmp_path / "cgroup.controllers").touch()
    assert sandbox.hierarchies() == [tmp_path]


def test_the_group_of_a_run_has_the_name_of_its_directory(monkeypatch):
    monkeypatch.setenv(sandbox.WORK, "/tmp/cgk-abc")
    assert sandbox.control_group() == "/cgk-abc"


def test_a_group_is_removed_with_its_children(tmp_path):
    (tmp_path / "group" / "pod" / "container").mkdir(parents=True)
    assert not sandbox.remove_group(tmp_path / "group")
    assert not (tmp_path / "group").exists()


def test_a_group_that_still_has_processes_is_reported(tmp_path):
    (tmp_path / "group").mkdir()
    (tmp_path / "group" / "busy").touch()  # stands for a group that the kernel refuses to remove
    assert sandbox.remove_group(tmp_path / "group")
