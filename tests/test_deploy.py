"""What is in deploy/ is held against what there is: settings, commands, options, files."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from config import READERS, ROOT, Settings, SettingsError
from mod_ci.runner.__main__ import parse, parser
from tests.servers import free_port
from tests.web_server import Server

DEPLOY = ROOT / "deploy"
PAPER = ROOT / "docs" / "deploy.md"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TIMERS = sorted((DEPLOY / "systemd").glob("*.timer"))
SOCKET = DEPLOY / "systemd" / "ci-web.socket"
COMPOSE_FILES = [DEPLOY / "compose.yaml", DEPLOY / "compose.database.yaml"]


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two compose files as one: mappings are merged, of others the later one counts."""
    both = {name: merged(one[name], other[name]) for name in one.keys() & other.keys()
            if isinstance(one[name], dict) and isinstance(other[name], dict)}  # fmt: skip
    return one | other | both


COMPOSE: dict[str, Any] = {}
for file in COMPOSE_FILES:
    COMPOSE = merged(COMPOSE, yaml.safe_load(file.read_text("utf-8")))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENV_FILES = [DEPLOY / "compose.env.example", *(DEPLOY / "systemd").glob("*.env.example")]
# Read by others than our settings: gunicorn, flask, Google's library, the compose file itself.
OF_OTHERS = {
    "GOOGLE_APPLICATION_CREDENTIALS",
    "WEB_CONCURRENCY",
    "FLASK_SKIP_DOTENV",
    "MARIADB_PASSWORD",
    "PUBLIC_HOST",
    "RUNNER_MEMORY",
}
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateDevices": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0027",
}
# bubblewrap makes namespaces and a /proc, which must not be masked in part.
FORBIDS_SANDBOX = {
    "RestrictNamespaces",
    "ProtectKernelTunables",
    "ProtectKernelLogs",
    "ProtectHostname",
    "ProtectProc",
}
IN_COMPOSE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
TIMERS_SH = (DEPLOY / "timers.sh").read_text("utf-8")
DOCUMENTS = ("openapi.json", "openapi.yaml", "docs", "docs/start.js", "docs/swagger-ui.css")
FLASK = re.compile(r"(?:flask --app run|ci-flask)(?: --env \S+)? ([a-z ]+)")
# `flask` by the hand of an operator; what follows are the properties that it has of the units.
BY_HAND = DEPLOY / "systemd" / "ci-flask"
GIVEN_BY_HAND = ("User", "Group", "UMask", "StateDirectory", "EnvironmentFile", "WorkingDirectory")


def settings_names() -> set[str]:
    return {setting.name.upper() for setting in fields(Settings)}


def runner_names() -> set[str]:
    options = (o for action in parser()._actions for o in action.option_strings)
    return {"RUNNER_" + o[2:].replace("-", "_").upper() for o in options if o.startswith("--")}


def commented(file: Path) -> dict[str, str | None]:
    """The variables of an example, with those that are only shown in a comment."""
    text = re.sub(r"^# ([A-Z_]+=)", r"\1", file.read_text("utf-8"), flags=re.MULTILINE)
    return dotenv_values(stream=StringIO(text), interpolate=False)


def filled_in(file: Path) -> dict[str, str]:
    """The variables of an example when a person has made the secrets that it asks for."""
    kept = dotenv_values(file, interpolate=False)
    secret = secrets.token_hex(24)
    return {name: (value or secret).replace("change-me", secret) for name, value in kept.items()}


def environment_of(service: str) -> dict[str, str]:
    """What a service of the compose file gets, with the example's values."""
    given = filled_in(DEPLOY / "compose.env.example")
    own = SERVICES[service].get("environment", {})

    def filled(text: str) -> str:
        text = re.sub(r"\$\{([A-Z_]+)(:\?[^}]*)?\}", lambda found: given[found[1]], text)
        return re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", text).replace("$$", "$")

    shared = given if SERVICES[service].get("env_file") else {}
    return shared | {name: filled(value) for name, value in own.items()}


def lines_of(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", ENV_FILES, ids=lambda file: file.name)
def test_every_variable_of_an_example_is_read_by_somebody(file: Path) -> None:
    names = set(commented(file))

    assert names
    assert names <= settings_names() | runner_names() | OF_OTHERS


def test_every_variable_of_the_compose_file_is_a_setting_and_is_in_its_example() -> None:
    text = "".join(file.read_text("utf-8") for file in COMPOSE_FILES)
    ours = {name for service in ("web", "migrate", "timers") for name in environment_of(service)}

    assert set(IN_COMPOSE.findall(text)) <= set(commented(DEPLOY / "compose.env.example"))
    assert ours <= settings_names() | OF_OTHERS
    assert set(SERVICES["runner"]["environment"]) <= runner_names()


@pytest.mark.parametrize("where", ["compose", "systemd"])
def test_the_example_of_the_environment_can_be_loaded(where: str) -> None:
    environ: dict[str, str | None] = dict(
        environment_of("web")
        if where == "compose"
        else filled_in(DEPLOY / "systemd" / "ci.env.example")
    )
    if "mysqldb" in (environ["DATABASE_URL"] or ""):
        pytest.importorskip("MySQLdb", reason="requirements-mysqlclient.txt is not installed")

    settings = Settings.from_environment(environ)

    read = {name.lower() for name in environ if name.lower() in READERS}
    assert read >= {"database_url", "redis_url", "secret_key", "public_url", "metrics_address"}
    assert settings.metrics_port == 9100
    assert settings.trusted_proxies == 1
    assert environ["WEB_CONCURRENCY"] == "2"


@pytest.mark.parametrize("secret", ["DATABASE_URL", "SECRET_KEY"])
def test_an_example_whose_secrets_nobody_made_is_refused(secret: str) -> None:
    example = DEPLOY / "systemd" / "ci.env.example"
    environ = filled_in(example) | {secret: dotenv_values(example)[secret]}

    with pytest.raises(SettingsError, match=f"^{secret} is .*the example's"):
        Settings.from_environment(environ)


def test_compose_takes_a_database_that_is_there() -> None:
    alone = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]

    assert "db" not in alone
    assert "MARIADB_PASSWORD" not in (DEPLOY / "compose.yaml").read_text("utf-8")
    for name in ("web", "migrate", "timers"):
        # So DATABASE_URL is the one of compose.env, and what it names can be reached.
        assert alone[name]["env_file"] == "compose.env"
        assert "DATABASE_URL" not in alone[name]["environment"]
        assert set(alone[name].get("depends_on", {})) <= alone.keys()
        assert "front" in alone[name]["networks"]
    assert "DATABASE_URL" in commented(DEPLOY / "compose.env.example")


def test_compose_starts_nothing_until_its_secrets_are_made() -> None:
    text = "".join(file.read_text("utf-8") for file in COMPOSE_FILES)
    empty = {name for name, v in dotenv_values(DEPLOY / "compose.env.example").items() if not v}

    assert empty == {"MARIADB_PASSWORD", "SECRET_KEY"}
    assert empty <= set(re.findall(r"\$\{([A-Z_]+):\?", text))


@pytest.mark.parametrize("where", ["compose", "systemd"])
def test_the_runners_environment_can_be_loaded(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = (
        environment_of("runner")
        if where == "compose"
        else dotenv_values(DEPLOY / "systemd" / "runner.env.example", interpolate=False)
    )
    token = tmp_path / "token"
    token.write_text("spci_token")
    for name, value in environ.items():
        monkeypatch.setenv(name, value or "")
    monkeypatch.setenv("RUNNER_TOKEN_FILE", str(token))

    asked = parse([])

    assert asked.sandbox == "bwrap"
    assert asked.build == './build.sh && cp build/ccextractor "$OUTPUT/"'


def commands() -> list[tuple[str, str]]:
    """Every `flask` command that anything in deploy/ or its paper runs, and where."""
    found = [
        (file.name, command.strip())
        for file in (*UNITS, DEPLOY / "timers.sh", DEPLOY / "compose.yaml", PAPER)
        for command in FLASK.findall(file.read_text("utf-8").replace("--app run\n", "--app run \n"))
    ]
    assert len(found) >= 16
    return found


@pytest.mark.parametrize(("where", "command"), commands())
def test_every_command_exists(where: str, command: str, sqlite_app) -> None:
    asked = sqlite_app.test_cli_runner().invoke(args=[*command.split(), "--help"])

    assert asked.exit_code == 0, asked.output


def test_compose_and_systemd_do_what_the_paper_has_on_its_schedule() -> None:
    paper = (ROOT / "docs" / "operating.md").read_text("utf-8")
    row = re.compile(r"^\| `flask --app run ([a-z ]+)` \| (an? \w+)", re.MULTILINE)
    wanted = dict(row.findall(paper))
    in_compose = {"queue expire": "a minute", "outbox deliver": "a minute"} | {
        command: {"60": "an hour", "1440": "a day", "10080": "a week"}[minutes]
        for minutes, command in re.findall(r"every (\d+) flask --app run ([a-z ]+)", TIMERS_SH)
    }
    timed = {
        FLASK.findall(timer.with_suffix(".service").read_text("utf-8"))[0]: {
            "1min": "a minute",
            "hourly": "an hour",
            "daily": "a day",
            "weekly": "a week",
        }[(lines_of(timer, "OnCalendar") or lines_of(timer, "OnUnitInactiveSec"))[0]]
        for timer in TIMERS
    }

    assert len(wanted) == 7
    assert in_compose == wanted
    assert timed == wanted
    assert set(FLASK.findall(TIMERS_SH)) == set(wanted)


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)
def test_every_timer_is_among_those_that_an_operator_starts(timer: Path) -> None:
    (enabled,) = re.findall(r"systemctl enable --now ci-web ([^`]+?)\n\n", PAPER.read_text("utf-8"))

    assert timer.name in enabled.split()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_is_hardened_and_runs_as_nobody_special(unit: Path) -> None:
    (user,) = lines_of(unit, "User")

    assert user in ("ci", "ci-runner")
    for key, value in HARDENED.items():
        assert lines_of(unit, key) == [value]
    assert not [
        path for path in lines_of(unit, "EnvironmentFile") if not path.startswith("/etc/ci")
    ]


def by_hand(folder: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """Run ci-flask beside a `systemd-run` that prints its arguments, one a line."""
    fake = folder / "systemd-run"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environ = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run([BY_HAND, *asked], env=environ, capture_output=True, text=True)


def test_a_command_by_hand_can_use_another_account_of_the_database(tmp_path: Path) -> None:
    own = tmp_path / "upgrade.env"
    own.write_text("DATABASE_URL=mysql+pymysql://ci_upgrade:secret@db/ci\n")

    done = by_hand(tmp_path, "--env", str(own), "db", "upgrade")
    missing = by_hand(tmp_path, "--env", f"{tmp_path}/none", "db", "upgrade")

    arguments = done.stdout.splitlines()
    files = [line for line in arguments if line.startswith("--property=EnvironmentFile=")]
    # Of two files systemd takes a variable from the later one.
    assert [line.rpartition("=")[2] for line in files] == ["/etc/ci/ci.env", str(own)]
    assert arguments[-4:] == ["--app", "run", "db", "upgrade"]
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"ci-flask: cannot read the file '{tmp_path}/none' of --env\n"


def test_a_command_by_hand_has_what_the_units_have(tmp_path: Path) -> None:
    asked = ["accounts", "create", "ann@example.org", "--name", "Ann Other"]
    arguments = by_hand(tmp_path, *asked).stdout.splitlines()

    unit = DEPLOY / "systemd" / "ci-queue-expire.service"
    (program,) = lines_of(unit, "ExecStart")
    properties = {
        f"--property={key}={value}" for key in GIVEN_BY_HAND for value in lines_of(unit, key)
    }
    assert len(properties) == len(GIVEN_BY_HAND)
    assert properties < set(arguments)
    assert [f"--setenv={value}" for value in lines_of(unit, "Environment")] == [
        argument for argument in arguments if argument.startswith("--setenv")
    ]
    assert arguments[-8:] == [*program.split()[:3], *asked]


def test_the_runners_unit_leaves_it_what_its_sandbox_needs() -> None:
    unit = DEPLOY / "systemd" / "ci-runner.service"

    text = unit.read_text("utf-8")

    assert lines_of(unit, "SystemCallFilter") == ["@system-service @mount ptrace"]
    assert "AF_NETLINK" in lines_of(unit, "RestrictAddressFamilies")[0]
    for key in FORBIDS_SANDBOX:
        assert not lines_of(unit, key)
        assert key in text, "left open without saying why"


def hardening_of(unit: str) -> set[str]:
    text = (DEPLOY / "systemd" / unit).read_text("utf-8")
    words = "Protect|Private|Restrict|SystemCall|Capability|NoNew|Lock"
    return set(re.findall(rf"^((?:{words})[A-Za-z]*)=", text, re.MULTILINE))


def test_the_runners_unit_is_otherwise_as_hardened_as_the_others() -> None:
    others, own = hardening_of("ci-web.service"), hardening_of("ci-runner.service")

    assert others - own == FORBIDS_SANDBOX


def test_the_sockets_are_where_the_settings_say_that_the_server_listens() -> None:
    settings = dict(
        re.findall(
            r"^(\w+)=(.*)$", (DEPLOY / "systemd" / "ci.env.example").read_text(), re.MULTILINE
        )
    )
    web = f"{settings.get('HOST', Settings.host)}:{settings.get('PORT', Settings.port)}"

    assert lines_of(SOCKET, "ListenStream") == [web, settings["METRICS_ADDRESS"]]
    assert SOCKET.name in lines_of(DEPLOY / "systemd" / "ci-web.service", "Requires")


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    analyzer = shutil.which("systemd-analyze")
    if analyzer is None:
        pytest.skip("systemd is not installed")
    for unit in (*UNITS, *TIMERS, SOCKET):
        text = unit.read_text("utf-8").replace("/srv/ci", str(ROOT))
        assert str(ROOT) in text or unit not in UNITS
        (tmp_path / unit.name).write_text(text)
    checked = subprocess.run(
        [analyzer, "verify", *map(str, sorted(tmp_path.iterdir()))], capture_output=True, text=True
    )

    ours = [line for line in checked.stderr.splitlines() if str(tmp_path) in line or "ci-" in line]
    assert not ours, checked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_what_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["image"]
    for other, wanted in service.get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert SERVICES[other]["restart"] == "no"
    for volume in service.get("volumes", []):
        source = volume.partition(":")[0]
        assert source in COMPOSE["volumes"] or (DEPLOY / source).exists()
    assert set(service["networks"]) <= set(COMPOSE["networks"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert "no-new-privileges:true" in service["security_opt"]
    # An image of ours says so itself.
    assert name == "proxy" or "build" in service or service["user"] in ("mysql", "redis")


def test_only_the_proxy_can_be_reached_and_it_reaches_no_metrics() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert "9100" not in (DEPLOY / "Caddyfile").read_text("utf-8")
    assert "reverse_proxy web:8000" in (DEPLOY / "Caddyfile").read_text("utf-8")


def test_what_builds_of_strangers_run_in_reaches_only_the_proxy() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    beside = {name for name in networks if networks[name] & networks["runner"]}

    assert beside == {"runner", "proxy"}
    assert environment_of("runner")["RUNNER_SERVER"] == "http://proxy:8080"
    assert "\nhttp://proxy:8080 {" in (DEPLOY / "Caddyfile").read_text("utf-8")
    assert [name for name in networks if "monitoring" in networks[name]] == ["web"]


def test_a_runner_has_the_same_limits_in_a_container_and_in_its_unit() -> None:
    unit = DEPLOY / "systemd" / "ci-runner.service"

    assert lines_of(unit, "TasksMax") == [str(SERVICES["runner"]["pids_limit"])]
    assert lines_of(unit, "MemoryMax")
    assert SERVICES["runner"]["mem_limit"]


def laid_out(image: str, folder: Path) -> Path:
    """The folder that an image works in, with exactly what its Dockerfile copies there."""
    stages = re.split(r"^FROM \S+ AS ", DOCKERFILE, flags=re.MULTILINE)[1:]
    (stage,) = [stage for stage in stages if stage.startswith(f"{image}\n")]
    for copied in re.findall(r"^COPY (.+)$", stage, re.MULTILINE):
        *sources, target = copied.split()
        for source in (found for pattern in sources for found in ROOT.glob(pattern)):
            into = folder / target / ("" if not target.endswith("/") else source.name)
            into.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, into)
    return folder


def test_the_images_run_as_nobody_special() -> None:
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["ci", "ci-runner"]


@pytest.mark.parametrize("pattern", re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE))
def test_all_that_is_copied_into_an_image_is_there(pattern: str) -> None:
    assert all(list(ROOT.glob(source)) for source in pattern.split())


@pytest.mark.slow
def test_the_web_image_has_all_that_the_program_reads(tmp_path: Path) -> None:
    root = laid_out("web", tmp_path / "image")
    environ = {
        "DATABASE_URL": f"sqlite:///{tmp_path / 'platform.sqlite'}",
        "SAMPLE_REPOSITORY": str(tmp_path / "repository"),
    }
    for command in ("db upgrade", "check"):
        asked = [sys.executable, "-m", "flask", "--app", "run", *command.split()]
        subprocess.run(asked, cwd=root, env={**os.environ, **environ}, check=True)
    server = Server(tmp_path / "log", root=root, **environ).start()
    try:
        answers = {path: server.get(f"/api/v1/{path}") for path in DOCUMENTS}
    finally:
        server.stop()

    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(
        DOCUMENTS, 200
    )
    assert json.loads(answers["openapi.json"].body)["openapi"]


@pytest.mark.parametrize(("file", "account"), [("compose", "ci-runner"), ("compose.bucket", "ci")])
def test_a_secret_can_be_read_by_the_account_that_needs_it(file: str, account: str) -> None:
    (uid,) = re.findall(rf"useradd --uid (\d+) .* {account}(?: |$)", DOCKERFILE, re.MULTILINE)
    composed = yaml.safe_load((DEPLOY / f"{file}.yaml").read_text("utf-8"))
    ((_, secret),) = composed["secrets"].items()
    name = f"deploy/{Path(secret['file']).name}"

    assert re.search(rf"install -o root -g {uid} -m 640 \S+ {name}\n", PAPER.read_text("utf-8"))
    for ignoring in (".gitignore", "deploy/Dockerfile.dockerignore"):
        assert name in (ROOT / ignoring).read_text("utf-8").splitlines()


def test_what_needs_the_bucket_gets_its_key_and_reaches_it() -> None:
    added = yaml.safe_load((DEPLOY / "compose.bucket.yaml").read_text("utf-8"))

    assert set(added["services"]) == {"web", "timers"}
    for name, service in added["services"].items():
        (secret,) = service["secrets"]
        key = service["environment"]["GOOGLE_APPLICATION_CREDENTIALS"]
        assert key == f"/run/secrets/{secret}"
        assert any(not COMPOSE["networks"][network] for network in SERVICES[name]["networks"])


def test_the_runners_image_has_all_that_the_runner_reads(tmp_path: Path) -> None:
    root = laid_out("runner", tmp_path)
    asked = [sys.executable, "-m", "mod_ci.runner", "--server", "http://127.0.0.1:9"]
    asked += ["--token-file", "missing", "--extractor", "/bin/true", "--work-dir", "work"]

    told = subprocess.run(asked, cwd=root, capture_output=True, text=True)

    assert told.returncode == 1
    assert "missing" in told.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_web_server_of_the_unit_answers_on_mariadb_and_redis(
    mariadb, redis_url, worker, tmp_path
) -> None:
    name = f"deploy_{worker}"
    mariadb.fresh(name)
    port = free_port()
    environ = filled_in(DEPLOY / "systemd" / "ci.env.example") | {
        "DATABASE_URL": mariadb.url(name),
        "REDIS_URL": redis_url,
        "SAMPLE_REPOSITORY": str(tmp_path / "repository"),
        "METRICS_ADDRESS": f"127.0.0.1:{port}",
        "RATE_LIMIT_READ": "120/minute",
    }
    upgrade = [sys.executable, "-m", "flask", "--app", "run", "db", "upgrade"]
    subprocess.run(upgrade, cwd=ROOT, env={**os.environ, **environ}, check=True)
    server = Server(tmp_path / "log", **environ).start()
    try:
        health = json.loads(server.get("/api/v1/system/health").body)
        server.port = port
        told = server.get("/metrics").body.decode()
        workers = server.told().count("Booting worker")
    finally:
        server.stop()
        mariadb.drop(name)

    assert {part["name"]: part["status"] for part in health["dependencies"]} == {
        "database": "ok",
        "rate_limits": "ok",
        "storage_local": "ok",
    }
    assert workers == 2
    assert "\nci_database_answers 1.0" in told
