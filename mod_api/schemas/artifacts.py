"""The files of a run."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import SHA256, Number, TruncatedString, one_of, run_id
from mod_api.schemas.outputs import DOWNLOAD_URL, STORAGE
from mod_api.schemas.pages import OffsetQuery
from mod_test.artifacts import ArtifactType

TYPES = [kind.value for kind in ArtifactType]


class ArtifactQuery(OffsetQuery):
    type = one_of(*TYPES)


class ArtifactSchema(Schema):
    artifact_id = TruncatedString(
        100, required=True, metadata={"description": "The same in every answer"}
    )
    run_id = run_id()
    sample_id = Number(least=1, allow_none=True)
    regression_id = Number(least=1, allow_none=True)
    output_id = Number(least=1, allow_none=True)
    type = one_of(
        *TYPES,
        required=True,
        metadata={"description": "Core dumps are of type binary, combined output of build_log"},
    )
    filename = TruncatedString(255, required=True)
    content_type = TruncatedString(100, required=True)
    size_bytes = Number(
        least=0,
        allow_none=True,
        metadata={"description": "Null of a diff, which is made on demand"},
    )
    sha256 = fields.String(validate=SHA256, allow_none=True)
    storage_status = one_of(*STORAGE, required=True)
    download_url = fields.String(
        allow_none=True,
        metadata={
            **DOWNLOAD_URL,
            "description": "Null when the file is missing, and for a build_log when the token "
            "lacks system:read",
        },
    )
