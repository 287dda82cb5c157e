"""`last_passed_on_...` of regression tests: the newest run in which each passed."""

from sqlalchemy import or_, select, update

from database import db
from mod_regression.models import RegressionTest
from mod_test.models import Platform, Result
from mod_test.verdict import fails, in_set

COLUMNS = {
    Platform.linux: RegressionTest.last_passed_on_linux,
    Platform.windows: RegressionTest.last_passed_on_windows,
}


def note(run_id: int, platform: Platform) -> None:
    """Point the tests that passed in a completed run at it; the existing site shows this."""
    column = COLUMNS[platform]
    passed = db.session.scalars(
        select(Result.regression_test_id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.test_id == run_id, in_set(), ~fails())
    ).all()
    if passed:
        db.session.execute(
            update(RegressionTest)
            .where(RegressionTest.id.in_(passed), or_(column.is_(None), column < run_id))
            .values({column: run_id})
            .execution_options(synchronize_session=False)
        )
