"""Media samples: `/samples` and `/samples/{id}`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from mod_api.services.media_info import MOST_BYTES, MOST_ELEMENTS, parse
from tests import factories
from tests.factories import digest
from tests.raw import Raw
from tests.sql import counted

Get = Callable[..., Any]
NEW_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaInfo xmlns="https://mediaarea.net/mediainfo" version="2.0"><media ref="a.ts">
<track type="General"><Format>MPEG-TS</Format><extra><Kind>a &amp; b</Kind></extra></track>
<track type="Text"><Format>EIA-608</Format></track></media></MediaInfo>"""
OLD_XML = b"""<Mediainfo><File><track type="General"><File_size>17</File_size>
<File_size>17 bytes</File_size></track></File></Mediainfo>"""
BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<MediaInfo><track type="General"><Format>&b;</Format></track></MediaInfo>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<MediaInfo><track type="General"><Format>&a;</Format></track></MediaInfo>"""


def media_info(folder: Path, sample: factories.SampleRow, content: bytes) -> None:
    path = folder / "TestFiles" / "media" / f"{sample.sha}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_sample_shows_its_labels_notes_and_what_is_known_of_its_file(
    get: Get, sample_repository: Path, raw: Raw
) -> None:
    sample = factories.sample(
        name="news.ts", tags=[factories.tag("news"), factories.tag("live")], notes=" From the air. "
    )
    raw.execute(
        "INSERT INTO upload (sample_id, platform, parameters, notes) VALUES (?, 'linux', '', ?)",
        (sample.id, "Second look."),
    )
    media_info(sample_repository, sample, NEW_XML)

    found = get(f"/samples/{sample.id}")

    assert (found["sha256"], found["name"], found["extension"]) == (sample.sha, "news.ts", "ts")
    assert (found["tags"], found["notes"]) == (["news", "live"], "From the air.\n\nSecond look.")
    assert found["status"] == "inactive"
    assert found["media_info"] == {
        "tracks": [
            {"type": "General", "Format": "MPEG-TS", "extra": {"Kind": "a & b"}},
            {"type": "Text", "Format": "EIA-608"},
        ]
    }
    listed = get("/samples")["data"][0]
    assert found["media_info_status"] == "ok"
    assert {
        **listed,
        **{name: found[name] for name in ("media_info", "media_info_status")},
    } == found
    get(f"/samples/{sample.id + 1}", 404)


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        OUTSIDE,
        b"",
        b"\xff\xfe\x00garbage",
        NEW_XML[:-20],
        b"<MediaInfo>" + b"<a>" * 1000,
        b"<track>" + b"<a/>" * (MOST_ELEMENTS + 1) + b"</track>",
        b"<track>" + b"x" * MOST_BYTES + b"</track>",
        b'<?xml version="1.0" encoding="no-such"?><track/>',
        b"<html><body/></html>",
    ],
    ids=str,
)
def test_media_info_that_is_broken_or_hostile_is_not_known(content: bytes) -> None:
    assert parse(content) == {}


def test_media_info_of_an_old_program_is_read_too() -> None:
    assert parse(OLD_XML) == {"tracks": [{"type": "General", "File_size": "17"}]}


# What mediainfo 23.04 writes (`--Output=XML`, `OLDXML`) of a Matroska file made by
# ffmpeg -f lavfi -i anullsrc -t 0.1 -metadata title=$'Tom\x01 & Jerry' \
#   -metadata artist=$'\x02Plain' -metadata album=$'a\tb' -metadata comment=VG9tASAmIEplcnJ5 d.mkv
DATA = Path(__file__).parent.parent / "data"


def test_values_that_xml_cannot_have_are_shown_as_what_they_are() -> None:
    (general, audio) = parse((DATA / "mediainfo-23.04.xml").read_bytes())["tracks"]

    assert (general["Title"], general["Track"]) == ("Tom\x01 & Jerry", "Tom\x01 & Jerry")
    assert general["Comment"] == "VG9tASAmIEplcnJ5"
    assert general["extra"] == {
        "ErrorDetectionType": "Per level 1",
        "ALBUM": "a\tb",
        "ARTIST": "\x02Plain",
    }
    assert (general["Format"], audio["Format"]) == ("Matroska", "Vorbis")


def test_the_old_form_tells_the_same() -> None:
    (general, _) = parse((DATA / "mediainfo-23.04-old.xml").read_bytes())["tracks"]

    assert (general["Track_name"], general["ALBUM"]) == ("Tom\x01 & Jerry", "a\tb")
    assert (general["ARTIST"], general["Comment"]) == ("\x02Plain", "VG9tASAmIEplcnJ5")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("", ""), ("not, base64", "not, base64"), ("Y2Fm6QE=", "caf\ufffd\x01"), ("YQ =\n=", "a")],
)
def test_a_value_that_is_said_to_be_encoded_and_is_not_stays_as_it_is(value, shown) -> None:
    xml = f'<MediaInfo><track><Title dt="binary.base64">{value}</Title><A>x</A></track></MediaInfo>'

    assert parse(xml.encode())["tracks"] == [{"type": "", "Title": shown, "A": "x"}]


def test_a_sample_without_stored_media_info_has_none(get: Get, sample_repository: Path) -> None:
    without, hostile = factories.sample(), factories.sample()
    media_info(sample_repository, hostile, BOMB)

    for sample, status in ((without, "missing"), (hostile, "ok")):
        found = get(f"/samples/{sample.id}")
        assert (found["media_info"], found["media_info_status"]) == ({}, status)


def test_samples_are_found_by_what_they_are(get: Get, raw: Raw) -> None:
    tag = factories.tag("Ärger 🎬")
    one = factories.sample(name="A 100%_\\' b.TS", tags=[tag], extension="ts")
    two = factories.sample(name="other", extension="TS", sha=digest("two").upper())
    factories.regression_test(sample=one, active=False)
    factories.regression_test(sample=two, active=None)
    raw.execute("INSERT INTO sample (sha, extension, original_name) VALUES (NULL, '', 'no hash')")
    raw.execute("INSERT INTO sample (sha, extension, original_name) VALUES ('abc', '', 'short')")

    def found(**query: Any) -> list[int]:
        page = get("/samples", **query)
        assert page["pagination"]["total"] == len(page["data"])
        return [row["sample_id"] for row in page["data"]]

    assert found() == [one.id, two.id]
    assert found(status="inactive") == [one.id]
    assert found(status="active") == [two.id]
    assert found(name="100%_\\'") == found(name="a 100") == [one.id]
    assert found(name="%") == [one.id]
    assert found(name="a_1") == found(name="100%%") == []
    assert found(tag="Ärger 🎬") == [one.id]
    assert found(tag="ärger 🎬") == found(tag="Ärger 🎥") == []
    assert found(extension="ts") == [one.id]
    assert found(extension="TS") == [two.id]
    assert found(sha256=digest("two")) == found(sha256=digest("two").upper()) == [two.id]
    for bad in ({"extension": "t.s"}, {"sha256": "0" * 63}, {"status": "old"}, {"nme": "x"}):
        get("/samples", 400, **bad)


def test_the_list_costs_the_same_for_three_samples_and_a_hundred(get: Get, app: Flask) -> None:
    costs = []
    for number in (3, 97):
        for _ in range(number):
            factories.sample(tags=[factories.tag()], notes="x")
        with counted(app) as statements:
            assert get("/samples", limit=100)["pagination"]["next_offset"] is None
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 8
