"""Connecting to Google Cloud Storage: credentials, signing key, connections."""

import os
from typing import TypeAlias

import google.auth
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from google.oauth2 import service_account
from requests.adapters import HTTPAdapter

Signer: TypeAlias = service_account.Credentials

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
_TOKEN_TIMEOUT_S = 5.0
# As many as look up side by side and read at the same time, without opening each anew.
_CONNECTIONS = 32


def connect() -> tuple[Client, Signer | None]:
    """A client with the credentials that the environment names, and what signs with them.

    Reads the variables that Google's library reads: `GOOGLE_APPLICATION_CREDENTIALS` and
    the like, and `STORAGE_EMULATOR_HOST`, where nothing is sent that proves who we are.
    Only a service account's own key signs: others would have to ask Google for each
    signature. Raises google.auth.exceptions.GoogleAuthError.
    """
    # Else the library asks about the bucket behind our back, also while it is dead.
    os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    credentials: Credentials
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        signer = _key_of_environment()
    else:
        credentials, _ = google.auth.default(scopes=_SCOPES)
        signer = credentials if isinstance(credentials, Signer) else None
    session = AuthorizedSession(credentials, refresh_timeout=_TOKEN_TIMEOUT_S)  # type: ignore[no-untyped-call]
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=_CONNECTIONS)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return Client(project=None, credentials=credentials, _http=session), signer


def _key_of_environment() -> Signer | None:
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        return None
    try:
        key: Signer = Signer.from_service_account_file(path)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        return None  # other kinds of credentials stand in such files, too
    return key
