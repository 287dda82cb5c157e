"""A program that shares the database, knows the given tables only, and writes at random.

As a process of its own: `python -m tests.mod_test.rollup.foreign URL SEED`. It reads a number from
its input, makes as many transactions, answers with that number, and so on until its input ends;
`0` makes it write until the next line arrives.
"""

import contextlib
import random
import selectors
import sqlite3
import sys
import time
from collections.abc import Callable

import pymysql

from tests.raw import Raw

HASHES = [character * 64 for character in "abcd"]
# As the existing site writes it, on SQLite too: texts are sorted there.
NOW = "2026-01-02 00:00:00.000000"
FORKS = ("CCExtractor/ccextractor", "someone/ccextractor", "someone/else")
BRANCHES = ("master", "feature/x", "", "b" * 120)
COMMITS = ("1" * 40, "2" * 40, *(digit * 40 for digit in "345678"), "A" * 40, "broken")
# A deadlock, or a lock that was waited for in vain: such a program begins again.
REFUSED = (
    sqlite3.OperationalError,
    sqlite3.IntegrityError,
    pymysql.err.OperationalError,
    pymysql.err.IntegrityError,
)
MOST_RUNS, FEWEST_RUNS, FEWEST_TESTS = 14, 4, 3


class Foreign:
    """What such a program may do, each time to rows that it finds."""

    def __init__(self, raw: Raw, chance: random.Random) -> None:
        self.raw, self.chance = raw, chance
        self.actions: list[Callable[[], None]] = [
            self.end, self.end, self.end, self.result, self.result, self.result, self.output,
            self.output, self.approve, self.approve, self.variant, self.drop_variant, self.restart,
            self.choose, self.forget_result, self.forget_outputs, self.expect, self.ignore,
            self.add_run, self.add_run, self.remove_run, self.remove_test,
            self.describe, self.rename, self.take_sample, self.give_sample,
            self.remove_output, self.add_output, self.add_test, self.renumber, self.sentinel,
            self.replace_result, self.replace_result, self.replace_result, self.many,
            self.ask, self.ask, self.ask, self.take_back, self.account,
            self.reword, self.reword, self.tag, self.categorize,
        ]  # fmt: skip

    def transaction(self) -> None:
        """A few actions as one, mostly one; some are held open for a while, some taken back."""
        with contextlib.suppress(*REFUSED):
            late = not self.raw.is_sqlite or self.chance.random() < 0.3
            self.raw.execute("BEGIN" if late else "BEGIN IMMEDIATE")
            try:
                for _ in range(self.chance.choice([1, 1, 1, 2, 4])):
                    self.act()
                if self.chance.random() < 0.15:
                    time.sleep(self.chance.random() * 0.2)
            except BaseException:
                self.raw.execute("ROLLBACK")
                raise
            self.raw.execute("ROLLBACK" if self.chance.random() < 0.15 else "COMMIT")

    def act(self) -> None:
        self.chance.choice(self.actions)()

    def ids(self, table: str, where: str = "id > 0") -> list[int]:
        found = self.raw.execute(f"SELECT id FROM {table} WHERE {where} ORDER BY id")
        return [number for (number,) in found]

    def one(self, table: str, where: str = "id > 0") -> int:
        """Any row; 0, which none has, where there is none."""
        return self.chance.choice(self.ids(table, where) or [0])

    def outputs(self, test: int) -> list[int]:
        return self.ids("regression_test_output", f"regression_id = {test}")

    def end(self) -> None:
        run = self.one("test")
        words = ["preparation", "testing", "completed", "completed", "completed", "canceled"]
        self.progress(run, self.chance.choice([*words, "building", "Completed"]))

    def progress(self, run: int, status: str) -> None:
        if run:
            self.raw.execute(
                "INSERT INTO test_progress (test_id, status, timestamp, message)"
                " VALUES (?, ?, ?, ?)",
                (run, status, NOW, "raw"),
            )

    def result(self) -> None:
        self.report(self.one("test"), self.one("regression_test"))

    def report(self, run: int, test: int) -> None:
        if not run or not test:
            return
        where = "WHERE test_id = ? AND regression_test_id = ?"
        self.raw.execute(f"DELETE FROM test_result {where}", (run, test))
        self.raw.execute(
            "INSERT INTO test_result (test_id, regression_test_id, runtime, exit_code, expected_rc)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                run,
                test,
                self.chance.choice([5, 50, None]),
                self.code(),
                self.chance.choice([0, None]),
            ),
        )
        if self.chance.random() < 0.7:
            for output in self.outputs(test):
                self.compare(run, test, output)

    def code(self) -> int | None:
        return self.chance.choice([0, 0, 0, 0, 1, -11, None])

    def replace_result(self) -> None:
        self.raw.execute(
            "UPDATE test_result SET exit_code = ? WHERE test_id = ? AND regression_test_id = ?",
            (self.code(), self.one("test"), self.one("regression_test")),
        )

    def output(self) -> None:
        test = self.one("regression_test")
        for output in self.outputs(test)[:1]:
            self.compare(self.one("test"), test, output)

    def compare(self, run: int, test: int, output: int) -> None:
        if not run:
            return
        key = (run, test, output)
        where = "test_id = ? AND regression_test_id = ? AND regression_test_output_id = ?"
        self.raw.execute(f"DELETE FROM test_result_file WHERE {where}", key)
        got = self.chance.choice([None, None, *HASHES])
        self.raw.execute(
            "INSERT INTO test_result_file (test_id, regression_test_id, regression_test_output_id,"
            " expected, got) VALUES (?, ?, ?, ?, ?)",
            (*key, HASHES[0], "error" if output == -1 else got),
        )

    def sentinel(self) -> None:
        known = self.raw.execute("SELECT id FROM regression_test_output WHERE id IN (-1, -2)")
        if not known:
            self.raw.execute(
                "INSERT INTO regression_test_output (id, correct_extension) VALUES (-1, '')"
            )
        elif self.chance.random() < 0.2:
            self.raw.execute("UPDATE regression_test_output SET id = -3 - id WHERE id < 0")
        elif self.chance.random() < 0.2:
            self.raw.execute("DELETE FROM regression_test_output WHERE id < 0")
        elif known[0] == (-1,) and (test := self.one("regression_test")):
            self.compare(self.one("test"), test, -1)

    def approve(self) -> None:
        self.raw.execute(
            "UPDATE regression_test_output SET correct = ? WHERE id = ?",
            (self.chance.choice([*HASHES, None]), self.one("regression_test_output")),
        )

    def variant(self) -> None:
        if output := self.one("regression_test_output"):
            self.raw.execute(
                "INSERT INTO regression_test_output_files (file_hashes, regression_test_output_id)"
                " VALUES (?, ?)",
                (self.chance.choice(HASHES), output),
            )

    def drop_variant(self) -> None:
        self.raw.execute(
            "DELETE FROM regression_test_output_files WHERE regression_test_output_id = ?",
            (self.one("regression_test_output"),),
        )

    def restart(self) -> None:
        run = self.one("test")
        for table in ("test_result_file", "test_result", "test_progress"):
            self.raw.execute(f"DELETE FROM {table} WHERE test_id = ?", (run,))

    def choose(self) -> None:
        run, test = self.one("test"), self.one("regression_test")
        if self.chance.random() < 0.5:
            self.raw.execute("DELETE FROM customized_test WHERE test_id = ?", (run,))
        elif run and test:
            self.raw.execute(
                "INSERT INTO customized_test (test_id, regression_id) VALUES (?, ?)", (run, test)
            )

    def forget_result(self) -> None:
        self.raw.execute(
            "DELETE FROM test_result WHERE regression_test_id = ? AND test_id = ?",
            (self.one("regression_test"), self.one("test")),
        )

    def forget_outputs(self) -> None:
        self.raw.execute("DELETE FROM test_result_file WHERE test_id = ?", (self.one("test"),))

    def expect(self) -> None:
        self.raw.execute(
            "UPDATE regression_test SET expected_rc = ? WHERE id = ?",
            (self.chance.choice([0, 1, None]), self.one("regression_test")),
        )

    def ignore(self) -> None:
        self.raw.execute(
            "UPDATE regression_test_output SET `ignore` = ? WHERE id = ?",
            (self.chance.choice([0, 1, None]), self.one("regression_test_output")),
        )

    def add_run(self) -> None:
        """Like those of the existing site; sometimes executed at once."""
        fork = self.one("fork")
        if len(self.ids("test")) >= MOST_RUNS or not fork:
            return
        self.raw.execute(
            "INSERT INTO test (platform, test_type, fork_id, branch, `commit`, pr_nr)"
            " VALUES (?, 'commit', ?, ?, ?, ?)",
            (self.platform(), fork, *self.origin()),
        )
        run = self.raw.last_id or 0
        if self.chance.random() < 0.6:
            self.progress(run, "testing")
            for test in self.ids("regression_test"):
                self.report(run, test)
            self.progress(run, "completed")

    def platform(self) -> str:
        return self.chance.choice([*["linux", "windows"] * 4, "Linux", "beos"])

    def origin(self) -> tuple[str, str, int]:
        return (
            self.chance.choice(BRANCHES),
            self.chance.choice(COMMITS),
            self.chance.choice([0, 0, 7, 8]),
        )

    def remove_run(self) -> None:
        if len(self.ids("test")) > FEWEST_RUNS:
            run = self.one("test")
            self.raw.execute("DELETE FROM customized_test WHERE test_id = ?", (run,))
            self.raw.execute("DELETE FROM test_fork WHERE test_id = ?", (run,))
            self.raw.execute("DELETE FROM test WHERE id = ?", (run,))

    def describe(self) -> None:
        branch, commit, pull_request = self.origin()
        columns = {
            "platform": self.platform(),
            "fork_id": self.chance.choice([*self.ids("fork") * 3, None]),
            "branch": branch,
            "`commit`": commit,
            "pr_nr": pull_request,
        }
        column = self.chance.choice(list(columns))
        self.raw.execute(
            f"UPDATE test SET {column} = ? WHERE id = ?", (columns[column], self.one("test"))
        )

    def rename(self) -> None:
        names = [f"https://github.com/{name}.git" for name in FORKS]
        new = self.chance.choice([*names * 8, "https://gitlab.com/x/y", None])
        if self.raw.execute("SELECT 1 FROM fork WHERE github = ?", (new,)):
            return
        self.raw.execute("UPDATE fork SET github = ? WHERE id = ?", (new, self.one("fork")))

    def take_sample(self) -> None:
        self.raw.execute(
            "UPDATE regression_test SET sample_id = NULL WHERE id = ?",
            (self.one("regression_test"),),
        )

    def give_sample(self) -> None:
        test = self.one("regression_test", "sample_id IS NULL") or self.one("regression_test")
        self.raw.execute(
            "UPDATE regression_test SET sample_id = ? WHERE id = ?",
            (self.one("sample") or None, test),
        )

    def remove_output(self) -> None:
        output = self.one("regression_test_output")
        self.raw.execute(
            "DELETE FROM regression_test_output_files WHERE regression_test_output_id = ?",
            (output,),
        )
        self.raw.execute("DELETE FROM regression_test_output WHERE id = ?", (output,))

    def add_output(self) -> None:
        test = self.one("regression_test")
        if test and len(self.outputs(test)) < 3:
            self.raw.execute(
                "INSERT INTO regression_test_output (regression_id, correct, correct_extension)"
                " VALUES (?, ?, '.srt')",
                (test, self.chance.choice(HASHES)),
            )

    def add_test(self) -> None:
        if len(self.ids("regression_test")) <= FEWEST_TESTS:
            self.raw.execute(
                "INSERT INTO sample (sha, extension, original_name) VALUES (?, 'ts', 'new.ts')",
                (f"{self.chance.getrandbits(256):064x}",),
            )
            self.raw.execute(
                "INSERT INTO regression_test (sample_id, command, input_type, output_type, active)"
                " VALUES (?, '-x', 'file', 'file', 1)",
                (self.raw.last_id,),
            )

    def remove_test(self) -> None:
        """By way of its sample or itself, whose children go by cascades that fire no trigger."""
        if len(self.ids("regression_test")) <= FEWEST_TESTS:
            return
        test = self.one("regression_test")
        ((sample,),) = self.raw.execute(
            "SELECT sample_id FROM regression_test WHERE id = ?", (test,)
        )
        tests = [test] if sample is None else self.ids("regression_test", f"sample_id = {sample}")
        for each in tests:
            self.raw.execute(
                "DELETE FROM regression_test_category WHERE regression_id = ?", (each,)
            )
        self.raw.execute("DELETE FROM sample_tag_association WHERE sample_id = ?", (sample,))
        for output in [output for each in tests for output in self.outputs(each)]:
            self.raw.execute(
                "DELETE FROM regression_test_output_files WHERE regression_test_output_id = ?",
                (output,),
            )
            self.raw.execute("DELETE FROM regression_test_output WHERE id = ?", (output,))
        if sample is not None and self.chance.random() < 0.5:
            self.raw.execute("DELETE FROM sample WHERE id = ?", (sample,))
        else:
            self.raw.execute("DELETE FROM regression_test WHERE id = ?", (test,))

    def reword(self) -> None:
        """What a test, its sample or an output of it says, and decides nothing."""
        table, column, values = self.chance.choice(
            [
                ("regression_test", "command", ["-x", "-y --out=srt"]),
                ("regression_test", "description", ["What it is for", None]),
                ("regression_test", "active", [0, 1, None]),
                ("regression_test", "input_type", ["stdin", "file"]),
                ("sample", "original_name", ["one.ts", "ONE.mpg"]),
                ("sample", "extension", ["ts", "mpg"]),
                ("regression_test_output", "correct_extension", [".srt", ".txt"]),
                ("regression_test_output", "expected_filename", ["out.srt", None]),
            ]
        )
        values = (self.chance.choice(values), self.one(table))
        self.raw.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", values)

    def tag(self) -> None:
        self.label("tag", "sample_tag_association", "sample_id", self.one("sample"))

    def categorize(self) -> None:
        table = "regression_test_category"
        self.label("category", table, "regression_id", self.one("regression_test"))

    def label(self, table: str, association: str, column: str, owner: int) -> None:
        """Labels come, are given, taken away and renamed."""
        known = self.one(table)
        if len(self.ids(table)) < 3:
            name = f"{table}-{self.chance.randrange(1000)}"
            self.raw.execute(f"INSERT INTO {table} (name, description) VALUES (?, '')", (name,))
        elif self.chance.random() < 0.2:
            name = f"{table}-{self.chance.randrange(1000)}"
            self.raw.execute(f"UPDATE {table} SET name = ? WHERE id = ?", (name, known))
        elif self.chance.random() < 0.3:
            self.raw.execute(f"DELETE FROM {association} WHERE {column} = ?", (owner,))
        elif owner:
            self.raw.execute(
                f"INSERT INTO {association} ({column}, {table}_id) VALUES (?, ?)", (owner, known)
            )

    def renumber(self) -> None:
        """What a migration of the other program may do; children follow by cascades."""
        table = self.chance.choice(
            ["fork", "test", "sample", "regression_test", "regression_test_output"]
        )
        row, free = self.one(table), self.chance.randrange(500_000, 900_000)
        if not self.ids(table, f"id = {free}"):
            self.raw.execute(f"UPDATE {table} SET id = ? WHERE id = ?", (free, row))

    def ask(self) -> None:
        """Somebody asked for a run, or somebody else did."""
        run = self.one("test")
        accounts = self.ids("user", "name LIKE 'raw-%'")
        account = self.chance.choice([*accounts, None])
        if run and self.chance.random() < 0.7:
            self.raw.execute(
                "INSERT INTO test_fork (user_id, test_id) VALUES (?, ?)", (account, run)
            )
        else:
            self.raw.execute(
                "UPDATE test_fork SET user_id = ? WHERE id = ?", (account, self.one("test_fork"))
            )

    def take_back(self) -> None:
        self.raw.execute("DELETE FROM test_fork WHERE id = ?", (self.one("test_fork"),))

    def account(self) -> None:
        """An account comes, goes, gets another name or, by cascades, another id."""
        accounts = self.ids("user", "name LIKE 'raw-%'")
        free = self.chance.randrange(500_000, 900_000)
        name = f"raw-{free}"
        if len(accounts) < 3:
            self.raw.execute(
                "INSERT INTO `user` (name, email, password, role) VALUES (?, ?, '', 'user')",
                (name, f"{name}@raw.invalid"),
            )
            return
        one = self.chance.choice(accounts)
        what = self.chance.random()
        if what < 0.4:
            self.raw.execute("UPDATE `user` SET name = ? WHERE id = ?", (name, one))
        elif what < 0.7:
            self.raw.execute("UPDATE `user` SET id = ? WHERE id = ?", (free, one))
        else:
            self.raw.execute("DELETE FROM test_fork WHERE user_id = ?", (one,))
            self.raw.execute("DELETE FROM `user` WHERE id = ?", (one,))

    def many(self) -> None:
        """One statement, many rows."""
        statement = self.chance.choice(
            [
                "UPDATE test SET branch = 'master'",
                "UPDATE regression_test SET expected_rc = NULL",
                f"UPDATE regression_test_output SET correct = '{HASHES[1]}'",
                "DELETE FROM regression_test_output_files",
                f"UPDATE test_result_file SET got = NULL WHERE got = '{HASHES[2]}'",
                "UPDATE test_result SET runtime = 7",
                "DELETE FROM customized_test",
            ]
        )
        self.raw.execute(statement)


def serve(url: str, seed: int) -> None:
    """Do as the input says until it ends."""
    foreign = Foreign(Raw(url), random.Random(seed))  # noqa: S311  reproducible, not secret
    for line in sys.stdin:
        number = int(line)
        if number:
            for _ in range(number):
                foreign.transaction()
        else:
            until_told(foreign.transaction)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


def until_told(work: Callable[[], None]) -> None:
    """Work until a line arrives, which is taken."""
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(0):
            work()
            time.sleep(0.005)
    sys.stdin.readline()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
