"""Write openapi-ci-api.yaml and the client's models anew: `python -m scripts.openapi`, or
`make openapi`."""

import yaml

from config import Settings
from mod_api.document import COMMITTED, render
from run import create_app
from scripts import client_models


def main() -> None:
    app = create_app(Settings(secret_key="only to build the document, signs nothing", jobs=True))  # noqa: S106
    COMMITTED.write_text(render(app.extensions["openapi"]), encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C wherever libyaml is
    client_models.write(yaml.load(COMMITTED.read_bytes(), Loader=loader))  # noqa: S506  a safe one
    print(f"{COMMITTED.name} and {client_models.MODELS.name} are written.")


if __name__ == "__main__":
    main()
