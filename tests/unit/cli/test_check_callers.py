"""`gateway check` compares what the callers of the file can fill by made-up ids with the memory of a worker."""

import pytest

from cli.check.files import check_files
from runtime.settings import load_settings


@pytest.mark.parametrize(
    ("callers", "limit", "state", "detail"),
    [
        (12, "1GiB", "ok", "13 callers × (32,256 a day + 12,000 unfinished) need 351 of 512 MiB of a worker"),
        (12, "256MiB", "FAILED", "13 callers × (8,064 a day + 12,000 unfinished) need 159 of 128 MiB of a worker"),
    ],
)
def test_the_bounds_of_all_callers_must_fit_into_the_memory_for_states(tmp_path, callers, limit, state, detail):
    """Twelve services, and the people of one issuer."""
    file = tmp_path / "callers.toml"
    services = [f'[[caller]]\nname = "service-{n}"\npermissions = ["handoff:close"]\n' for n in range(callers)]
    issuer = '[[issuer]]\nurl = "https://i.example"\naudience = "a"\nalgorithms = ["RS256"]\nkeys = "/k"\n'
    people = (
        '[[people]]\nissuer = "https://i.example"\nname = "n"\ngroups = "g"\n[people.permissions]\na = ["operate"]\n'
    )
    file.write_text("".join(services) + issuer + people)
    settings = load_settings(
        {
            "GATEWAY_ENVIRONMENT": "test",
            "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "GATEWAY_COLLATE__BASE_URL": "https://collate.example",
            "GATEWAY_COLLATE__API_KEY_FILE": str(file),
            "GATEWAY_INGRESS__CALLERS_FILE": str(file),
            "GATEWAY_INGRESS__MAX_REPLICAS": "3",
            "GATEWAY_WORKER__MEMORY_LIMIT": limit,
        }
    )
    found = {result.subject: result for result in check_files(settings, "ingress")}
    assert found["callers"].state == "ok"
    result = found["unknown ids"]
    assert (result.state, result.detail.partition(";")[0]) == (state, detail)
