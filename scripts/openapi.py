"""Write openapi-ci-api.yaml anew from the code: `python -m scripts.openapi`, or `make openapi`."""

from config import Settings
from mod_api.document import COMMITTED, render
from run import create_app


def main() -> None:
    app = create_app(Settings(secret_key="only to build the document, signs nothing", jobs=True))  # noqa: S106
    COMMITTED.write_text(render(app.extensions["openapi"]), encoding="utf-8")
    print(f"{COMMITTED.name} is written.")


if __name__ == "__main__":
    main()
