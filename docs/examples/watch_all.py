"""Watch the authorizations of a CSV file, at the pace of the gateway; run it again to continue after an interruption.

    python watch_all.py authorizations.csv       # needs the Python client

The file has a header with authorizationId; its columns metadata.KEY become metadata. COLLATE_GATEWAY_URL and
COLLATE_GATEWAY_KEY are those of a caller with authorization:watch. FILE.place has the number of rows that are done;
FILE.failed gets each row that was not accepted, with the reason.
"""

import csv
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from collate_gateway_client import Gateway, GatewayError, GatewayProblem

TYPE, COLUMN, PREFIX = "collate-gateway.authorization.watch.v1", "authorizationId", "metadata."
SAVED_EVERY = 100  # rows; as many as the largest batch


def events(path: Path, run: str, after: int) -> Iterator[dict[str, Any]]:
    """Yield a command for each row behind the first `after` rows. A row is the same command in each try of this run."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in islice(enumerate(csv.DictReader(file)), after, None):
            pairs = {key: value for key, value in row.items() if value and (key or "").startswith(PREFIX)}
            yield {
                "specversion": "1.0",
                "type": TYPE,
                "source": "/watch-all",
                "id": f"{run}:{number}",
                "subject": (row.get(COLUMN) or "").strip(),
                "data": {"metadata": {key.removeprefix(PREFIX): value for key, value in pairs.items()}},
            }


def main(path: Path) -> int:
    """Send all rows; return 0 if each was accepted, 1 if one failed or the gateway did not answer."""
    place_file, failed_file = path.with_name(f"{path.name}.place"), path.with_name(f"{path.name}.failed")
    run = hashlib.sha256(path.read_bytes()).hexdigest()[:16]  # another content is another run
    saved: dict[str, Any] = json.loads(place_file.read_text()) if place_file.exists() else {}
    done = int(saved["rows"]) if saved.get("run") == run else 0
    failures = int(saved["failures"]) if done else 0

    def save() -> None:
        place_file.write_text(json.dumps({"run": run, "rows": done, "failures": failures}))

    with (
        Gateway(os.environ["COLLATE_GATEWAY_URL"], os.environ["COLLATE_GATEWAY_KEY"]) as gateway,
        failed_file.open("a" if done else "w", encoding="utf-8") as failed,
    ):
        try:
            for result in gateway.send_events(events(path, run, done)):
                done += 1
                if result["status"] != 202:
                    failures += 1
                    failed.write(json.dumps({"row": done, "status": result["status"], **result["problem"]}) + "\n")
                if done % SAVED_EVERY == 0:
                    save()
                    print(f"{done} rows", file=sys.stderr)
        except GatewayError as error:
            save()
            detail = error.detail if isinstance(error, GatewayProblem) else str(error)
            print(f"{done} rows are done. Run it again to continue. {detail}", file=sys.stderr)
            return 1
    place_file.unlink(missing_ok=True)
    print(f"{done} rows, {failures} not accepted" + (f": {failed_file}" if failures else ""))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
