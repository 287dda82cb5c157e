"""Names under which a browser saves a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_sample.storage import attachment


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("news.srt", "attachment; filename=\"news.srt\"; filename*=UTF-8''news.srt"),
        ("", "attachment; filename=\"download\"; filename*=UTF-8''download"),
        ("..", "attachment; filename=\"download\"; filename*=UTF-8''download"),
        ("a/b\\c", "attachment; filename=\"abc\"; filename*=UTF-8''abc"),
        ("é 1.srt", "attachment; filename=\"__1.srt\"; filename*=UTF-8''%C3%A9%201.srt"),
        ('a"; x="\r\nb', "attachment; filename=\"a__x_b\"; filename*=UTF-8''a%3B%20x%3Db"),
    ],
)
def test_the_header_names_the_file_for_old_and_new_browsers(filename, header):
    assert attachment(filename) == header


@given(st.text(max_size=400))
def test_no_name_whatsoever_breaks_out_of_the_header(filename):
    header = attachment(filename)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert len(header) < 3000
