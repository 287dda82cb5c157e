#!/usr/bin/env bash
# pysubs2 reads SubRip times of 100 hours and more without their first digits, and says nothing.
#
# One would guess: `100:00:01,000` is read as 100 hours, as in WebVTT, which pysubs2 reads rightly;
#   or it is refused.
# What happens: its pattern takes the last two digits of the hours, wherever in the line they begin:
#   the cue starts at 00:00:01,000. ffmpeg writes such times for recordings that are long enough, and
#   CCExtractor's --unixts writes hours of six digits.
# Seen with: pysubs2 1.8.1, imageio-ffmpeg 0.6.0 (it has an ffmpeg in it).
# Documented: no. The writer's limit of 99:59:59 is (`MAX_REPRESENTABLE_TIME`), the reader's is not.
# Depends on it: mod_api/services/captions/times.py reads times by itself.
#
# Needs python3 and the network.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pysubs2==1.8.1 imageio-ffmpeg==0.6.0

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import pysubs2

folder = Path(sys.argv[1])
webvtt, subrip = folder / "long.vtt", folder / "long.srt"
webvtt.write_text("WEBVTT\n\n100:00:01.000 --> 100:00:02.000\nA long recording\n")
ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
subprocess.run([ffmpeg, "-v", "error", "-i", webvtt, subrip], check=True)
times = subrip.read_text().splitlines()[1]
hours = {path.suffix: pysubs2.load(str(path))[0].start / 3_600_000 for path in (webvtt, subrip)}
print(f"ffmpeg wrote {times}")
print(f"pysubs2 reads {hours['.vtt']:.4f} hours from WebVTT, {hours['.srt']:.4f} from SubRip")
sys.exit(0 if round(hours[".vtt"]) == 100 and round(hours[".srt"]) == 0 else 1)
PYTHON
