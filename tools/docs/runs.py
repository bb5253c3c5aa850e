"""Tables of the docs that are run: what typical people do, what histories of care teach, what each region's removal changes."""

from __future__ import annotations

import numpy as np

from sim.theory.regions import lesion_names
from sim.theory.styles import style_name
from tools.docs.markdown import table
from tools.docs.stationary import dyads


def stationary_table() -> str:
    """What typical dyads do over twenty sessions, run."""
    t = dyads(1000, 20)
    names = {
        "mean_client_perceived": "perceived response p",
        "mean_therapist_attunement": "attunement q",
        "mean_client_arousal": "client's arousal L",
        "mean_therapist_arousal": "therapist's arousal",
        "tracking_accuracy": "accuracy (correlation)",
        "client_trust": "client's trust",
        "client_alliance": "alliance, client",
        "client_regulation": "client's regulation W",
        "client_anxiety": "client's anxiety with the therapist (0..1)",
        "client_avoidance": "client's avoidance of the therapist (0..1)",
        "client_general_anxiety": "client's general anxiety (0..1)",
        "client_general_avoidance": "client's general avoidance (0..1)",
        "therapist_anxiety": "therapist's anxiety with the client (0..1)",
        "open_rupture": "proportion of dyads with an open rupture",
    }
    rows = [(label, *(f"{t[name][s - 1]:.3f}" for s in (1, 5, 10, 20))) for name, label in names.items()]
    return table(("typical dyads (1,000, nobody leaves)", "session 1", "5", "10", "20"), rows)


def histories_table() -> str:
    """What a history of responses teaches the typical client (K10, K12), run."""
    rows = []
    for label, low, high in (
        ("steady, warm (.8)", 0.8, 0.8),
        ("steady, cold (.25)", 0.25, 0.25),
        ("erratic (.9 or .1)", 0.1, 0.9),
        ("harsh and erratic (.45 or .03)", 0.03, 0.45),
    ):
        t = dyads(300, 60, forced_response_share=1.0, forced_response_low=low, forced_response_high=high, compatibility_sd=0.0)
        ends = [1.0 + 6.0 * float(t[f"client_{name}"][-1]) for name in ("anxiety", "avoidance")]
        change = [float(t[f"client_{name}"][-1] - t[f"client_{name}"][0]) for name in ("anxiety", "avoidance")]
        rows.append((label, f"{change[0]:+.2f}", f"{change[1]:+.2f}", f"{ends[0]:.1f}", f"{ends[1]:.1f}", str(style_name(*ends))))
    return table(
        ("history, 60 sessions", "anxiety (0..1)", "avoidance (0..1)", "anxiety then, 1-7", "avoidance then, 1-7", "style then"),
        rows,
    )


def lesions_table() -> str:
    """What typical dyads do without each region, as differences from intact dyads, run."""
    names = {
        "tracking_accuracy": "accuracy",
        "mean_therapist_attunement": "attunement",
        "mean_client_arousal": "client's arousal",
        "client_regulation": "client's W",
        "mean_client_labelling": "labelling",
        "client_trust": "trust",
        "client_anxiety": "client's anxiety",
        "client_avoidance": "client's avoidance",
    }

    def repaired(t: dict[str, np.ndarray]) -> float:
        return float(t["repairs"].sum() / (t["withdrawals"] + t["confrontations"]).sum())

    intact = dyads(500, 20)
    rows = []
    for lesion in lesion_names():
        t = dyads(500, 20, lesions={lesion: 0.0})
        rows.append(
            (lesion, *(f"{float(t[n].mean() - intact[n].mean()):+.3f}" for n in names), f"{repaired(t) - repaired(intact):+.2f}")
        )
    return table(("removed", *names.values(), "proportion repaired"), rows)
