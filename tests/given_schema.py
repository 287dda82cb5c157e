"""The existing site's database: its schema, rows in each table, and how to look at it.

`data/schema-mariadb.sql` is a given fact, copied as it was given.
"""

import re
from pathlib import Path

from tests.raw import Raw

SCHEMA = Path(__file__).parent / "data" / "schema-mariadb.sql"
BEFORE_RELEASE = {
    is_sqlite: Path(__file__).parent / "data" / f"revision-0016-{dialect}.sql"
    for is_sqlite, dialect in ((True, "sqlite"), (False, "mariadb"))
}
TABLE = re.compile(r"^CREATE TABLE `(\w+)`", re.MULTILINE)

ROWS = (
    "INSERT INTO `user` VALUES (1, 'willem', 'w@example.org', NULL, 'canihavesome',"
    " '$6$rounds=1000$abc$x', 'admin')",
    "INSERT INTO `user` VALUES (2, 'Émile 🎬', NULL, 'gho_x', NULL, '$5$abc$y', NULL)",
    "INSERT INTO blocked_users VALUES (77, 'spam')",
    "INSERT INTO category VALUES (1, 'Broken', 'those that fail')",
    "INSERT INTO ccextractor_version VALUES (1, '0.94', '2021-12-15', 'abc')",
    "INSERT INTO fork VALUES (1, 'https://github.com/CCExtractor/ccextractor.git')",
    "INSERT INTO fork VALUES (2, NULL)",
    "INSERT INTO general_data VALUES (1, 'average_time_linux', '612')",
    "INSERT INTO maintenance_mode VALUES (1, 'windows', 1)",
    "INSERT INTO mimetype_forbidden VALUES ('text/html')",
    "INSERT INTO extension_forbidden VALUES ('exe')",
    "INSERT INTO sample VALUES (1, 'abcd', 'ts', 'news.ts')",
    "INSERT INTO sample VALUES (2, NULL, '', 'nothing is known')",
    "INSERT INTO tag VALUES (1, 'teletext', NULL)",
    "INSERT INTO sample_tag_association VALUES (1, 1)",
    "INSERT INTO sample_extra VALUES (1, 1, 'readme.txt', 'txt')",
    "INSERT INTO sample_issue VALUES (1, 1, 12, 't', 'u', '2020-01-01 00:00:00', 'open')",
    "INSERT INTO upload VALUES (1, 1, 1, 1, 'linux', '', 'notes')",
    "INSERT INTO upload_log VALUES (1, 'uploaded', 1)",
    "INSERT INTO upload_queue VALUES (1, 'ffff', 'ts', 'queued.ts', 1)",
    "INSERT INTO ftpd VALUES (1, 'u', 'enabled', 'p', '/home', '*', 20, 1, 1)",
    # Runs: 1 and 2 have no progress and none before them; 4 has none, 3 before it has.
    "INSERT INTO test VALUES (1, 'linux', 'commit', 't1', 1, 'master', 'a1', 0)",
    "INSERT INTO test VALUES (2, 'windows', 'pr', 't2', 1, '', 'a2', 7)",
    "INSERT INTO test VALUES (3, 'linux', 'commit', NULL, 1, 'master', 'a3', 0)",
    "INSERT INTO test VALUES (4, 'linux', 'commit', 't4', NULL, 'master', '', 0)",
    "INSERT INTO test VALUES (6, 'linux', 'commit', 't6', 2, 'master', 'a6', 0)",
    "INSERT INTO test_progress VALUES (1, 3, 'preparation', '2020-05-01 10:00:00', 'first')",
    "INSERT INTO test_progress VALUES (2, 3, 'canceled', '2020-05-01 09:00:00', 'clock went back')",
    "INSERT INTO test_progress VALUES (3, 6, 'completed', '2021-05-01 10:00:00', 'line 1\nline 2')",
    "INSERT INTO test_progress VALUES (4, NULL, 'completed', '2019-05-01 10:00:00', 'nobody''s')",
    "INSERT INTO test_fork VALUES (1, 1, 3)",
    "INSERT INTO gcp_instance VALUES ('linux-3', 3, '2020-05-01 10:00:00', NULL)",
    "INSERT INTO pending_deletion VALUES ('linux-2', 'op', '2020-05-01 10:00:00', 0)",
    "INSERT INTO regression_test VALUES (1, 1, '-out=srt', 'file', 'file', 0, 1, NULL, 3, NULL)",
    "INSERT INTO regression_test VALUES (2, 1, '-x', NULL, 'future', NULL, NULL, 2, NULL, 'd')",
    "INSERT INTO regression_test_category VALUES (1, 1)",
    "INSERT INTO regression_test_output VALUES (1, 1, 'aa', '.srt', '', 0)",
    "INSERT INTO regression_test_output VALUES (2, 2, NULL, '', NULL, NULL)",
    "INSERT INTO regression_test_output_files VALUES (1, 'bb', 1)",
    "INSERT INTO customized_test VALUES (1, 3, 1)",
    "INSERT INTO test_result VALUES (3, 1, 100, 0, 0)",
    "INSERT INTO test_result VALUES (3, 2, NULL, NULL, NULL)",
    "INSERT INTO test_result_file VALUES (3, 1, 1, 'aa', NULL)",
    "INSERT INTO test_result_file VALUES (3, 2, 2, '', 'cc')",
)
TOKEN_ROW = (
    "INSERT INTO api_token VALUES (1, 1, 'laptop', 'hash', 'spci_prefix', '[\"runs:read\"]',"
    " '2026-01-01 00:00:00', '2027-01-01 00:00:00', NULL)"
)
RUN_OF_THE_SITE = (
    "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
    "VALUES ('linux', 'commit', ?, 1, 'master', 'abc', 0)"
)


def create(raw: Raw, *, with_tokens: bool = True) -> list[str]:
    """Make the existing site's tables as they were given; their names."""
    statements = [part.strip() for part in SCHEMA.read_text().split(";\n") if part.strip()]
    for statement in statements:
        body = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
        if "`api_token`" in body and not with_tokens:
            continue
        if raw.is_sqlite:
            body = as_sqlite(body)
        if body:
            raw.execute(body)
    return [
        name for name in TABLE.findall(SCHEMA.read_text()) if with_tokens or name != "api_token"
    ]


def create_of_0016(raw: Raw) -> list[str]:
    """Make the existing site's tables and what revision 0016 added to them; the names of the given
    ones."""
    tables = create(raw)
    recorded = BEFORE_RELEASE[raw.is_sqlite].read_text()
    if not raw.is_sqlite:
        raw.execute("SET foreign_key_checks = 0")  # in the order of their names
    for statement in recorded.split(";\n"):
        lines = [line for line in statement.splitlines() if not line.startswith("--")]
        if lines:
            raw.execute("\n".join(lines))
    if not raw.is_sqlite:
        raw.execute("SET foreign_key_checks = 1")
    raw.execute("INSERT INTO api_alembic_version VALUES ('0016')")
    raw.execute("INSERT INTO rollup_state (id, generation) VALUES (1, 16)")
    return tables


def as_sqlite(statement: str) -> str:
    """A statement of the given schema in SQLite's words; keys that are not unique are left out."""
    if statement.startswith("SET "):
        return ""
    lines = [
        re.sub(r"int\(11\)( NOT NULL AUTO_INCREMENT)?", "INTEGER", line)
        .replace("tinyint(1)", "BOOLEAN")
        .replace("UNIQUE KEY", "CONSTRAINT")
        for line in statement.splitlines()
        if not line.startswith("  KEY ")
    ]
    lines = [re.sub(r"CONSTRAINT (`\w+`) \(", r"CONSTRAINT \1 UNIQUE (", line) for line in lines]
    text = re.sub(r"\) ENGINE=.*", ")", "\n".join(lines))
    return re.sub(r",\s*\)$", "\n)", text)


def fill(raw: Raw, *, with_tokens: bool = True) -> None:
    """Put rows into every table, NULL wherever the old site left it."""
    for statement in ROWS + ((TOKEN_ROW,) if with_tokens else ()):
        raw.execute(statement)


def contents(raw: Raw, tables: list[str]) -> dict[str, list[tuple[object, ...]]]:
    """All rows of some tables, in an order of their own."""
    return {table: sorted(raw.execute(f"SELECT * FROM `{table}`"), key=repr) for table in tables}


def definition(raw: Raw, tables: list[str]) -> dict[str, list[tuple[object, ...]]]:
    """What MariaDB says of tables: engine, columns, keys, and what they refer to."""
    questions = {
        "tables": "SELECT table_name, engine, table_collation FROM information_schema.tables "
        "WHERE table_schema = DATABASE()",
        "columns": "SELECT table_name, ordinal_position, column_name, column_type, is_nullable, "
        "column_default, character_set_name, collation_name, column_key, extra "
        "FROM information_schema.columns WHERE table_schema = DATABASE()",
        "keys": "SELECT table_name, index_name, seq_in_index, column_name, non_unique, sub_part "
        # What we add to the given tables: it changes the meaning of nothing.
        "FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "AND index_name NOT IN ('ix_customized_test_member', 'ix_test_result_runtime')",
        "references": "SELECT k.table_name, k.constraint_name, k.ordinal_position, k.column_name, "
        "k.referenced_table_name, k.referenced_column_name, r.update_rule, r.delete_rule "
        "FROM information_schema.key_column_usage k JOIN "
        "information_schema.referential_constraints r ON r.constraint_schema = k.table_schema "
        "AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name "
        "WHERE k.table_schema = DATABASE()",
    }
    return {
        what: sorted((row for row in raw.execute(question) if row[0] in tables), key=repr)
        for what, question in questions.items()
    }
