#!/usr/bin/env bash
# From mcp 2 on, a model is not told why a tool failed, unless the tool raises one class.
#
# One would guess: the sentence of any exception that a tool raises reaches the model, as with mcp 1, where
#   `FastMCP` answered "Error executing tool NAME: the exception's text".
# What happens: the text is left out; the model reads "Error executing tool NAME" and cannot know that it was a
#   wrong argument, a missing right or a server that is away. Only a `ToolError` (and a `ResourceError`) keeps its text.
# Seen with: mcp 2.3.0 (2026-10-02).
# Documented: in the docstring of `mcp.server.mcpserver.exceptions.ToolError`.
# Depends on it: clients/python/ccextractor_ci/cli/mcp.py, which raises a `ToolError` for each refusal.
#
# Needs python3 (3.10 or newer) and the network.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mcp==2.3.0
cat >"$folder/server.py" <<'PYTHON'
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("example")


@server.tool()
def plain() -> str:
    raise ValueError("run 7 is not there")


@server.tool()
def told() -> str:
    raise ToolError("run 7 is not there")


server.run("stdio")
PYTHON
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import subprocess
import sys

folder = sys.argv[1]
server = subprocess.Popen(
    [f"{folder}/venv/bin/python", f"{folder}/server.py"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
)


def ask(number, method, params):
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())["result"]


client = {"name": "example", "version": "1"}
ask(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client})
server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
texts = {}
for number, name in enumerate(("plain", "told"), 2):
    answer = ask(number, "tools/call", {"name": name, "arguments": {}})
    texts[name] = answer["content"][0]["text"]
    print(f"the model reads of {name}: {texts[name]}")
server.stdin.close()
server.wait()
as_described = "run 7" not in texts["plain"] and "run 7" in texts["told"]
sys.exit(0 if as_described else 1)
PYTHON
