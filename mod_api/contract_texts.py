"""The contract's descriptions and examples, put into the generated document.

They were agreed with the clients in contract/openapi-v1.2.0.yaml and are written there only. Where
the routes or schemas say something of their own, both stand in the document.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import yaml

from config import ROOT

CONTRACT = ROOT / "contract" / "openapi-v1.2.0.yaml"
Node = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch")
# Decisions that replace what the contract says (docs/semantics.md); its texts would be wrong here.
REPLACED = {
    # Labels of environments are not accepted: `environment_id` is the platform.
    "windows-latest": "windows",
}


def read() -> Node:
    """The contract, parsed."""
    found: Node = yaml.load(CONTRACT.read_text("utf-8"), Loader=yaml.CSafeLoader)
    return found


def add_to(document: Node) -> None:
    """Add the contract's texts to a document of ours that has everything else."""
    contract = read()
    document["info"]["contact"] = contract["info"]["contact"]
    _describe(document["info"], contract["info"])
    document["servers"] = [*document["servers"], *contract["servers"]]
    document["tags"] = [*contract["tags"], *_own_tags(document, contract)]
    for path, method, agreed in operations(contract):
        _describe_operation(document["paths"][path][method], agreed, document, contract)
    schemes = "securitySchemes"
    _describe(
        document["components"][schemes]["bearerAuth"], contract["components"][schemes]["bearerAuth"]
    )
    ours, theirs = document["components"]["schemas"], contract["components"]["schemas"]
    for name in ours.keys() & theirs.keys():
        _describe_schema(ours[name], theirs[name], document, contract)


def operations(document: Node) -> Iterator[tuple[str, str, Node]]:
    """Every operation of a document: its path, its method, and what is said of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def resolved(node: Node, document: Node) -> Node:
    """The component that a node refers to, or the node itself."""
    while "$ref" in node:
        _, _, part, name = node["$ref"].split("/")
        node = document["components"][part][name]
    return node


def _own_tags(document: Node, contract: Node) -> list[Node]:
    agreed = {tag["name"] for tag in contract["tags"]}
    return [tag for tag in document.get("tags", []) if tag["name"] not in agreed]


def _describe_operation(operation: Node, agreed: Node, document: Node, contract: Node) -> None:
    operation["tags"] = agreed["tags"]
    _describe(operation, agreed)
    wanted = {
        (each["name"], each["in"]): each
        for each in (resolved(each, contract) for each in agreed.get("parameters", []))
    }
    for parameter in operation.get("parameters", []):
        known = wanted.get((parameter.get("name"), parameter.get("in")))
        if known is not None:
            _describe(parameter, known)
            _describe_schema(parameter["schema"], known["schema"], document, contract)
    for status, response in agreed["responses"].items():
        if "$ref" not in response and status in operation["responses"]:
            operation["responses"][status] = _described_response(
                status, operation["responses"][status], response, document, contract
            )
    if "requestBody" in agreed and "requestBody" in operation:
        _describe(operation["requestBody"], agreed["requestBody"])
        _describe_content(operation["requestBody"], agreed["requestBody"], document, contract)


def _described_response(
    status: str, ours: Node, agreed: Node, document: Node, contract: Node
) -> Node:
    """A response with the contract's description: an error's component makes room for it."""
    described = {**resolved(ours, document)}
    if "$ref" in ours or described["description"] == HTTPStatus(int(status)).phrase:
        del described["description"]
    _describe(described, agreed)
    _describe_content(described, agreed, document, contract)
    return described


def _describe_content(ours: Node, agreed: Node, document: Node, contract: Node) -> None:
    for kind, content in agreed.get("content", {}).items():
        mine = ours.get("content", {}).get(kind)
        if mine is None:
            continue
        for word in ("example", "examples"):
            if word in content:
                mine[word] = content[word]
        if "schema" in mine and "schema" in content:
            _describe_schema(mine["schema"], content["schema"], document, contract)


def _describe_schema(ours: Node, agreed: Node, document: Node, contract: Node) -> None:
    """Add descriptions and examples to a schema, its properties and its items."""
    ours = resolved(ours, document)
    agreed = resolved(agreed, contract)
    if "example" in agreed and "$ref" not in ours:
        example = agreed["example"]
        is_replaced = isinstance(example, str) and example in REPLACED
        ours.setdefault("example", REPLACED[example] if is_replaced else example)
    if "description" in agreed:
        _describe(ours, agreed)
    for part in agreed.get("allOf", []):
        _describe_schema(ours, part, document, contract)
    for name, known in agreed.get("properties", {}).items():
        if name in ours.get("properties", {}):
            _describe_property(ours["properties"], name, known, document, contract)
    if "items" in agreed and "items" in ours:
        _describe_property(ours, "items", agreed["items"], document, contract)


def _describe_property(
    parent: Node, name: str, agreed: Node, document: Node, contract: Node
) -> None:
    """Describe one property. A reference has no room for texts: what it refers to has them."""
    mine = parent[name]
    if "$ref" in mine and "$ref" in agreed:
        return  # a schema of the contract, described by its own name
    _describe_schema(mine, agreed, document, contract)


def _describe(ours: Node, agreed: Node) -> None:
    """The contract's description, then what is our own."""
    text = str(agreed.get("description", "")).strip()
    own = str(ours.get("description", "")).strip()
    if not text or text in own:
        return
    ours["description"] = f"{text}\n\n{own}" if own else text
