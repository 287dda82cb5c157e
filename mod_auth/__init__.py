"""Accounts, roles, sign-in, GitHub identities and API tokens."""
