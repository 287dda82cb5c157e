"""Names of stored files, and what must never become one."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_sample.storage import (
    UnsafeName,
    WrongContent,
    artifact_key,
    extra_key,
    log_key,
    media_info_key,
    result_key,
    sample_key,
)
from mod_sample.storage.keys import check_content, check_key, content_hash

SHA = "0123456789abcdef" * 4
FOLDERS = {"TestFiles", "TestResults", "LogFiles", "test_artifacts"}
HOSTILE = [
    "..",
    "../x",
    "d/x",
    "/etc/passwd",
    "a\\b",
    "a\0b",
    "a b",
    "srt\n",
    "\uff53\uff52\uff54",
    "é",
    "\ud800",
    "a..b",
    "a.",
    "x" * 65,
    "%2e%2e",
    "a\r\nb",
]


def test_the_names_are_those_of_the_existing_site():
    assert sample_key(SHA, "mkv") == f"TestFiles/{SHA}.mkv"
    assert sample_key(SHA, "") == sample_key(SHA, None) == f"TestFiles/{SHA}"
    assert media_info_key(SHA) == f"TestFiles/media/{SHA}.xml"
    assert extra_key(SHA, 7, "txt") == f"TestFiles/extra/{SHA}_7.txt"
    assert result_key(SHA, ".srt") == f"TestResults/{SHA}.srt"
    assert result_key(SHA, ".p1.svc01.srt") == f"TestResults/{SHA}.p1.svc01.srt"
    assert result_key(SHA, "") == f"TestResults/{SHA}"
    assert log_key(12) == "LogFiles/12.txt"
    assert artifact_key(12, "binary", "linux") == "test_artifacts/12/ccextractor"
    assert artifact_key(12, "binary", "windows") == "test_artifacts/12/ccextractorwinfull.exe"
    assert artifact_key(12, "coredump", "linux") == "test_artifacts/12/coredump"
    assert artifact_key(12, "combined_stdout", "windows") == "test_artifacts/12/combined_stdout.log"


@pytest.mark.parametrize(
    "sha",
    ["", SHA[:-1], SHA + "0", SHA[:-1] + "g", SHA + "\n", SHA[:-1] + "\0", SHA[:-1] + "٣", None],
)
def test_what_is_no_hash_is_refused(sha):
    for build in (
        lambda: sample_key(sha, "mkv"),
        lambda: media_info_key(sha),
        lambda: extra_key(sha, 1, "mkv"),
        lambda: result_key(sha, ".srt"),
    ):
        with pytest.raises(UnsafeName):
            build()


@pytest.mark.parametrize("extension", HOSTILE)
def test_what_is_no_extension_is_refused(extension):
    for build in (
        lambda: sample_key(SHA, extension),
        lambda: extra_key(SHA, 1, extension),
        lambda: result_key(SHA, extension),
        lambda: result_key(SHA, "." + extension),
    ):
        with pytest.raises(UnsafeName):
            build()


@pytest.mark.parametrize("number", [0, -1, 2**31, True, "1", 1.0, None])
def test_what_is_no_id_is_refused(number):
    for build in (
        lambda: log_key(number),
        lambda: extra_key(SHA, number, "srt"),
        lambda: artifact_key(number, "binary", "linux"),
    ):
        with pytest.raises(UnsafeName):
            build()


def test_other_artifacts_and_platforms_are_refused():
    with pytest.raises(UnsafeName):
        artifact_key(1, "../../secret", "linux")
    with pytest.raises(UnsafeName):
        artifact_key(1, "binary", "macos")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "TestFiles",
        "TestFiles/",
        "TestFiles//x",
        "TestFiles/../LogFiles/1.txt",
        "TestFiles/./x",
        "/TestFiles/x",
        "TestFiles/x/..",
        "TempFiles/x",
        "Other/x",
        "TestFiles/.hidden",
        "TestFiles\\x",
        "TestFiles/a\0b",
        "TestFiles/a\n",
        "TestFiles/" + "x" * 256,
    ],
)
def test_a_key_that_was_built_elsewhere_is_checked_too(key):
    with pytest.raises(UnsafeName):
        check_key(key)


@given(st.text())
def test_no_extension_whatsoever_leaves_its_folder(extension):
    for build in (sample_key, result_key):
        try:
            key = build(SHA, extension)
        except UnsafeName:
            continue
        path = PurePosixPath(check_key(key))

        assert len(path.parts) == 2
        assert path.parts[0] in FOLDERS
        assert path.name.isascii()
        assert path.name.isprintable()


@given(st.text(alphabet="TestFiles/.\\\0-a é"))
def test_no_key_whatsoever_leaves_the_repository(key):
    try:
        check_key(key)
    except UnsafeName:
        return

    assert PurePosixPath(key).parts == tuple(key.split("/"))
    assert ".." not in key.split("/")


def test_content_is_only_kept_under_its_own_hash():
    assert content_hash(result_key(SHA.upper(), ".srt")) == SHA
    assert content_hash(media_info_key(SHA)) is None
    assert content_hash(log_key(1)) is None
    check_content(result_key(SHA, ".srt"), SHA)
    check_content(log_key(1), SHA)
    with pytest.raises(WrongContent):
        check_content(sample_key(SHA, "mkv"), "f" * 64)
