"""The command ``attune``: one file a group of commands."""
