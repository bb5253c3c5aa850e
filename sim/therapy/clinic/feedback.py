"""Routine outcome monitoring: the therapist sees the client's rating before each session, and heeds a warning.

One verb, put into the session behind ``meet`` where a service gives feedback; without it nothing changes for anybody.
"""

from __future__ import annotations

import numpy as np

from sim.errors import WiringError
from sim.theory import equations as eq
from sim.therapy.session import Verb, World


def heed_feedback(world: World, rows: np.ndarray) -> None:
    """With a client who is off track the therapist mentalises more carefully and is readier to repair ruptures [K1, K3].

    Off track: rated distress now lies ``off_track_points`` above what typical progress since the first session of this course
    would have brought. Whose rating did not come back is not off track today, nor is anybody without the first rating of the
    course. Writes off_track, distress_first_rated, and what the therapist brings: skill, repair_skill.
    """
    d, p, now = world.dyads, world.parameters, world.ratings["distress"][rows]
    first = np.where(d.session[rows] == 1, now, d.distress_first_rated[rows])
    world.write("distress_first_rated", rows, first)
    expected = world.applied(eq.expected_score, rows, first_score=first)
    off = (now - expected >= p.off_track_points) & (d.session[rows] > 1)
    world.write("off_track", rows, off.astype(float))
    world.write("therapist_skill", rows, np.minimum(d.therapist_skill[rows] + p.feedback_skill_step * off, 1.0))
    world.write("therapist_repair_skill", rows, np.minimum(d.therapist_repair_skill[rows] + p.feedback_repair_step * off, 6.0))


def with_feedback(session: tuple[Verb, ...]) -> tuple[Verb, ...]:
    """The verbs of a session with ``heed_feedback`` behind ``meet``. Raises ``WiringError`` where there is nothing to heed."""
    names = [verb.__name__ for verb in session]
    if "meet" not in names or "rate_distress" not in names[: names.index("meet") + 1]:
        raise WiringError("feedback needs the verbs rate_distress and, behind it, meet")
    at = names.index("meet") + 1
    return (*session[:at], heed_feedback, *session[at:])
