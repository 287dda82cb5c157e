"""The regression tests of the demo."""

from dataclasses import dataclass

STEM = "output"
LINE_21 = "Line 21"
TELETEXT = "Teletext"
CONTAINERS = "Text tracks in containers"
OPTIONS = "Options and errors"


@dataclass(frozen=True)
class Output:
    """An output before its contents are known: `suffix` stands between stem and extension.

    With `any_line_ending`, LF is accepted in the place of CR LF, as a variant. One that is not
    `written` only says from which name the program makes those of the others.
    """

    extension: str
    suffix: str = ""
    ignore: bool = False
    any_line_ending: bool = False
    written: bool = True

    @property
    def filename(self) -> str:
        """Its name in the test's directory."""
        return f"{STEM}{self.suffix}{self.extension}"


@dataclass(frozen=True)
class Plan:
    """A regression test before its baselines are known: those are what the good commit makes."""

    sample: str
    command: str
    description: str
    categories: tuple[str, ...]
    outputs: tuple[Output, ...]
    input_type: str = "file"
    output_type: str = "file"
    expected_exit_code: int = 0


SRT = (Output(".srt"),)
TTXT = (Output(".ttxt", any_line_ending=True),)
VTT = (Output(".vtt"), Output(".css", ignore=True))
REPORT = (Output(".txt"),)
BOTH_TRACKS = (
    Output(".srt", ignore=True, written=False),
    Output(".srt", "_1"),
    Output(".srt", "_2"),
)

PLANS = (
    Plan("harbour-radio.scc", "-out=srt", "Roll-up captions as SubRip", (LINE_21,), SRT),
    Plan(
        "harbour-radio.scc",
        "-out=ttxt",
        "Roll-up captions as a transcript, each line once, from and to a pipe",
        (LINE_21, OPTIONS),
        TTXT,
        input_type="stdin",
        output_type="stdout",
    ),
    Plan(
        "harbour-radio.scc",
        "-out=srt -sc -startat 3 -endat 00:13",
        "Sentence case, some seconds out of the middle",
        (LINE_21, OPTIONS),
        SRT,
    ),
    Plan("portrait.scc", "-out=srt -utf8", "Pop-on captions with accents", (LINE_21,), SRT),
    Plan("portrait.scc", "-out=srt -latin1", "Accents in Latin-1", (LINE_21, OPTIONS), SRT),
    Plan("portrait.scc", "-out=srt -trim", "Centered lines, trimmed", (LINE_21, OPTIONS), SRT),
    Plan("bakery.mov", "-out=webvtt", "A QuickTime caption track as WebVTT", (LINE_21,), VTT),
    Plan("bakery.mov", "", "Decode and write nothing", (LINE_21,), (), output_type="null"),
    Plan("harbour.mp4", "-out=srt", "Timed text as SubRip", (CONTAINERS,), SRT),
    Plan(
        "harbour.mp4",
        "-out=srt -delay 1500",
        "Timed text, a second and a half later",
        (CONTAINERS, OPTIONS),
        SRT,
    ),
    Plan(
        "market.mkv",
        "-out=srt -12",
        "Both SubRip tracks, a file for each",
        (CONTAINERS,),
        BOTH_TRACKS,
    ),
    Plan(
        "market.mkv",
        "-out=ttxt -2 -nofc",
        "The second track as a transcript without colors",
        (CONTAINERS, OPTIONS),
        TTXT,
    ),
    Plan(
        "lecture.mkv",
        "-out=srt -lf -nots",
        "WebVTT in many scripts from a pipe, without italics",
        (CONTAINERS,),
        SRT,
        input_type="stdin",
    ),
    Plan("market.mkv", "", "Report on two tracks", (CONTAINERS,), REPORT, output_type="report"),
    Plan("song.mkv", "-out=srt -sc -bom", "SubStation Alpha, easier to read", (CONTAINERS,), SRT),
    Plan("evening-news.ts", "-out=srt", "Teletext as SubRip", (TELETEXT,), SRT),
    Plan(
        "evening-news.ts",
        "-out=webvtt -delay -2000",
        "Teletext as WebVTT, beginning at zero",
        (TELETEXT, OPTIONS),
        VTT,
    ),
    Plan(
        "evening-news.ts",
        "",
        "Report on teletext from a pipe",
        (TELETEXT,),
        REPORT,
        input_type="stdin",
        output_type="report",
    ),
    Plan(
        "polyglot.srt",
        "-out=webvtt -quiet",
        "A SubRip file as WebVTT, after an hour, too",
        (CONTAINERS,),
        (Output(".vtt"),),
        output_type="stdout",
    ),
    Plan(
        "silent-film.mp4",
        "-out=srt",
        "A film without captions says so",
        (OPTIONS,),
        (),
        expected_exit_code=10,
    ),
    Plan(
        "harbour.mp4",
        "-out=karaoke",
        "An unknown format is refused",
        (OPTIONS,),
        (),
        expected_exit_code=7,
    ),
)
