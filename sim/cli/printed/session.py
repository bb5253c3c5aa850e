"""One session told exchange by exchange, as the command line prints it."""

from __future__ import annotations

import pandas as pd

#: Columns of an exchange that tell its story, in order: heading, and what it means (all in 0..1).
STORY = {
    "exchange": ("exch.", ""),
    "client_arousal_target": ("activated", "how aroused the moment makes the client"),
    "client_expression": ("shown", "what the client shows of it"),
    "client_disclosure": ("said", "what the client says of it"),
    "therapist_mirrored": ("mirror", "the therapist's mirror activity"),
    "therapist_felt": ("felt", "what the therapist feels of it"),
    "therapist_estimate": ("read as", "what the therapist takes the client's arousal to be"),
    "therapist_attunement": ("attunement", "how well that agrees with the client's real arousal"),
    "therapist_response": ("given", "how well the therapist responds"),
    "client_expectation": ("expected", "the response the client expects"),
    "client_perceived": ("perceived", "the response as the client perceives it"),
    "client_labelling": ("labelled", "feelings the client puts into words"),
    "client_arousal": ("calm?", "the client's arousal afterwards"),
    "client_tension": ("tension", "disappointment built up; past the threshold the bond ruptures"),
    "client_avoidance": ("avoid", "the client's avoidance of this therapist"),
}


def told(inside: pd.DataFrame) -> pd.DataFrame:
    """The exchanges of one session under short headings, with what happened to the relationship in each."""
    story = inside[list(STORY)].rename(columns={column: heading for column, (heading, _) in STORY.items()})
    names = {"withdrawals": "withdrawal", "confrontations": "confrontation", "repairs": "repair"}
    # Counts run on within a session; the first exchange starts from 0.
    steps = {word: inside[column].diff().fillna(inside[column]) > 0 for column, word in names.items()}
    return story.assign(event=[", ".join(word for word in steps if steps[word].iloc[k]) for k in range(len(inside))])


def ended(session: pd.Series) -> str:
    """What the two people say after a session, and what happened in it."""
    return (
        f"Client's WAI after the session {session['wai_client']:.2f}, therapist's {session['wai_therapist']:.2f} (1-7); "
        f"CORE-OM before it {session['distress']:.1f} (0-40); "
        f"{session['ruptures']} rupture(s) ({session['rupture_type']}), {session['repairs']} repair(s); "
        f"accuracy (correlation) {session['tracking_accuracy']:.2f}."
    )
