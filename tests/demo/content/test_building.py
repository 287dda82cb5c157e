"""The demo is the same wherever it is made, and is whole or is made anew."""

import hashlib
import shutil
import subprocess
import sys

import pytest

from demo.content import build, manifest

pytestmark = pytest.mark.slow


def git(*arguments, cwd):
    isolated = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = {
        f"GIT_{who}_{what}": "x@demo.invalid"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=isolated | identity, capture_output=True, text=True
    )


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "git" not in path.relative_to(folder).parts
    }


@pytest.fixture
def copy(demo, tmp_path):
    """A demo that a test may spoil."""
    shutil.copytree(demo.repository.parents[2], tmp_path / "demo")
    return tmp_path / "demo"


@pytest.fixture
def clone(demo, tmp_path):
    """A clone of the demo's repository, at master."""
    url = demo.repository.as_uri()
    assert git("clone", "--quiet", url, "clone", cwd=tmp_path).returncode == 0
    return tmp_path / "clone"


def test_two_builds_have_the_same_bytes_and_commits(demo, tmp_path):
    again = build(tmp_path / "another")

    assert contents(tmp_path / "another") == contents(demo.repository.parents[2])
    assert again.good_commit == demo.good_commit
    assert again.regressed_commit == demo.regressed_commit
    assert again.conflicting_commit == demo.conflicting_commit
    assert again.merging_commit == demo.merging_commit


def test_a_demo_that_is_there_is_read_and_not_made_again(demo, copy):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}

    found = build(copy)

    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    assert [test.command for test in found.tests] == [test.command for test in demo.tests]
    assert found.samples[0].path == copy / "samples" / found.samples[0].name


def lose_a_sample(copy):
    (copy / "samples" / "market.mkv").unlink()


def shorten_a_sample(copy):
    path = copy / "samples" / "market.mkv"
    path.write_bytes(path.read_bytes()[:-1])


def lose_a_baseline(copy):
    next((copy / "baselines").iterdir()).unlink()


def cut_the_manifest_short(copy):
    path = copy / "demo.json"
    path.write_bytes(path.read_bytes()[:1000])


def lose_the_manifest(copy):
    (copy / "demo.json").unlink()


def make_the_manifest_something_else(copy):
    (copy / "demo.json").write_text("[]")


def lose_objects_of_the_repository(copy):
    shutil.rmtree(copy / "git" / "CCExtractor" / "ccextractor.git" / "objects")


def lose_the_branch(copy):
    (copy / "git" / "CCExtractor" / "ccextractor.git" / "refs" / "heads" / "master").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        lose_a_sample,
        shorten_a_sample,
        lose_a_baseline,
        cut_the_manifest_short,
        lose_the_manifest,
        make_the_manifest_something_else,
        lose_objects_of_the_repository,
        lose_the_branch,
    ],
)
def test_a_demo_that_is_not_whole_is_not_taken_for_one(copy, spoil):
    assert manifest.read(copy) is not None
    spoil(copy)

    assert manifest.read(copy) is None


@pytest.mark.parametrize("spoil", [lose_the_manifest, lose_objects_of_the_repository])
def test_a_demo_that_is_not_whole_is_made_anew(demo, copy, spoil):
    spoil(copy)

    build(copy)

    assert contents(copy) == contents(demo.repository.parents[2])
    assert git("fsck", "--strict", cwd=copy / "git/CCExtractor/ccextractor.git").returncode == 0
    assert [path.name for path in copy.parent.iterdir()] == ["demo"]


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(FileExistsError, match=r"thesis\.txt"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_master_is_the_regressed_commit_after_the_good_one(demo, clone):
    log = git("log", "--format=%H", "master", cwd=clone).stdout.split()

    assert log[:2] == [demo.regressed_commit, demo.good_commit]


def test_a_commit_can_be_fetched_by_its_id_and_by_its_pull_request(demo, clone):
    assert git("fetch", "origin", demo.good_commit, cwd=clone).returncode == 0
    for pull, commit in (
        (demo.merging_pull, demo.merging_commit),
        (demo.conflicting_pull, demo.conflicting_commit),
    ):
        assert git("fetch", "origin", f"refs/pull/{pull}/head", cwd=clone).returncode == 0
        assert git("rev-parse", "FETCH_HEAD", cwd=clone).stdout.strip() == commit


def test_one_branch_merges_and_the_other_conflicts(demo, clone):
    merging = git("merge", "--no-edit", demo.merging_commit, cwd=clone)
    conflicting = git("merge", "--no-edit", demo.conflicting_commit, cwd=clone)

    assert merging.returncode == 0, merging.stderr
    assert (clone / "docs" / "exit-codes.md").is_file()
    assert conflicting.returncode == 1
    assert "CONFLICT (content): Merge conflict in src/ccextractor/captions.py" in conflicting.stdout


@pytest.mark.parametrize("commit", ["good_commit", "regressed_commit", "merging_commit"])
def test_a_checked_out_commit_builds_and_extracts(demo, clone, commit):
    assert git("checkout", "--quiet", getattr(demo, commit), cwd=clone).returncode == 0
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": sys.executable}
    built = subprocess.run(["./build.sh"], cwd=clone, env=environment, capture_output=True)
    sample = next(sample.path for sample in demo.samples if sample.name == "lecture.mkv")
    done = subprocess.run(
        [sys.executable, "build/ccextractor", "-out=srt", "-stdout", str(sample)],
        cwd=clone,
        capture_output=True,
    )

    assert built.returncode == 0, built.stderr
    assert (clone / "build" / "ccextractor").stat().st_mode & 0o111
    assert "Ευχαριστώ".encode() in done.stdout


def test_two_who_build_at_once_both_get_a_whole_demo(demo, tmp_path):
    code = "import sys, pathlib, demo.content as d; print(d.build(pathlib.Path(sys.argv[1])).tests)"
    command = [sys.executable, "-c", code, str(tmp_path / "demo")]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    printed = [builder.communicate(timeout=60)[0] for builder in builders]

    assert [builder.returncode for builder in builders] == [0, 0]
    assert printed[0] == printed[1]
    assert contents(tmp_path / "demo") == contents(demo.repository.parents[2])
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
