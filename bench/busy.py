"""Another program that writes while the API is measured, as the existing site and workers do."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import sqlalchemy as sa
from sqlalchemy import Connection, text

from bench import histories
from bench.places import Place

EVERY_SECONDS = 0.1
TOLD = f"another connection changes a result of an ended run every {EVERY_SECONDS * 1000:.0f} ms"
FIRST_RESULT = text(
    "SELECT regression_test_id AS test, runtime FROM test_result WHERE test_id = :run "
    "ORDER BY regression_test_id LIMIT 1"
)
CHANGE = text(
    "UPDATE test_result SET runtime = :runtime WHERE test_id = :run AND regression_test_id = :test"
)


@contextlib.contextmanager
def written_to(place: Place) -> Iterator[None]:
    """Meanwhile another connection changes the runtime of a result of the newest completed run,
    which is on the first page of most lists, again and again. In the end it is what it was."""
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(_write, place, over)
        try:
            yield
        finally:
            over.set()
            writer.result()


def _write(place: Place, over: threading.Event) -> None:
    newest = [histories.passes_last(place.size, name) or 0 for name in ("linux", "windows")]
    engine = sa.create_engine(place.url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            _change(connection, max(newest), over)
    finally:
        engine.dispose()


def _change(connection: Connection, run_id: int, over: threading.Event) -> None:
    test, runtime = connection.execute(FIRST_RESULT, {"run": run_id}).one()
    result = {"run": run_id, "test": test}
    try:
        for more in cycle((1, 0)):
            connection.execute(CHANGE, {**result, "runtime": runtime + more})
            if over.wait(EVERY_SECONDS):
                break
    finally:
        connection.execute(CHANGE, {**result, "runtime": runtime})
