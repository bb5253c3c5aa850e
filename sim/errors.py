"""What the user of the command can put right."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right; the message says what, where, and what would be valid. The command ends with status 2."""
