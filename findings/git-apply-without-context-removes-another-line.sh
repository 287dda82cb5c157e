#!/usr/bin/env bash
# Guess: `git apply --unidiff-zero` deletes the line that the hunk's header numbers, as GNU patch does.
# What happens: where the hunk deletes the last line, which has no line end, and an earlier line has
#   the same text, git finds the hunk at the earlier line: the file keeps the last line and loses the
#   line end before it. It exits with 0 and prints nothing. git's own `git diff -U0` makes this patch.
# Version: git 2.39.5 (Debian 12), compared with GNU patch 2.7.6.
# Documented: --unidiff-zero is documented as bypassing checks and as discouraged, not as choosing
#   another line than the numbered one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
git --version
mkdir a b
printf 'cue\ncue' >a/file
printf 'cue\n' >b/file
git diff --no-index -U0 a/file b/file >patch.diff || true
cp a/file file
git apply -p2 --unidiff-zero patch.diff
by_git=$(od -An -c file | tr -d ' ')
printf 'wanted c u e \\n, git apply wrote: %s\n' "$by_git"
if command -v patch >/dev/null; then
    cp a/file file
    patch -s file patch.diff
    printf 'GNU patch wrote: %s\n' "$(od -An -c file | tr -d ' ')"
fi
[ "$by_git" = cue ] || { echo "git behaves otherwise now"; exit 1; }
