"""How a course can end."""

from __future__ import annotations

#: "in therapy" never reaches a table: it becomes "censored".
ENDINGS = ("in therapy", "planned", "improved", "dropout", "censored", "untreated", "transferred", "lost_waiting", "waiting")
IN_THERAPY, PLANNED, IMPROVED, DROPOUT, CENSORED, UNTREATED, TRANSFERRED, LOST_WAITING, STILL_WAITING = range(len(ENDINGS))
