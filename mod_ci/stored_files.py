"""The names of every file that the tables speak of, for copying between folder and bucket."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select, union

from database import db
from mod_regression.models import AcceptedVariant, RegressionTestOutput
from mod_sample.models import Sample, SampleExtra
from mod_sample.storage import (
    ArtifactKind,
    UnsafeName,
    artifact_key,
    extra_key,
    log_key,
    media_info_key,
    result_key,
    sample_key,
)
from mod_test.models import ResultFile, Run


def names() -> Iterator[str]:
    """The name of each file that may be stored; what cannot be one in the tables is left out."""
    for sha, extension in db.session.execute(select(Sample.sha, Sample.extension)):
        yield from _name(sample_key, sha, extension)
        yield from _name(media_info_key, sha)
    extras = select(Sample.sha, SampleExtra.id, SampleExtra.extension).join(
        Sample, Sample.id == SampleExtra.sample_id
    )
    for sha, extra_id, extension in db.session.execute(extras):
        yield from _name(extra_key, sha, extra_id, extension)
    for content, extension in db.session.execute(_contents()):
        yield from _name(result_key, content, extension)
    for run_id, platform in db.session.execute(select(Run.id, Run.platform).order_by(Run.id)):
        yield from _name(log_key, run_id)
        for kind in ArtifactKind:
            yield from _name(artifact_key, run_id, kind, platform)


def _contents() -> Any:
    """The hash and extension of every baseline, variant and output, each once."""
    output = RegressionTestOutput
    variants = select(AcceptedVariant.file_hashes, output.correct_extension).join(
        output, output.id == AcceptedVariant.regression_test_output_id
    )
    files = [
        select(column, output.correct_extension).join(
            output, output.id == ResultFile.regression_test_output_id
        )
        for column in (ResultFile.expected, ResultFile.got)
    ]
    return union(select(output.correct, output.correct_extension), variants, *files)


def _name(make: Any, *parts: Any) -> Iterator[str]:
    try:
        yield make(*parts)
    except UnsafeName:
        return
