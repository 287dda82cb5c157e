"""The JSON API: `/api/v1`, and the existing workers' endpoint beside it (`mod_api/api.py`)."""
