"""Every parameter of the model, once: default, unit, range, source, status, meaning.

This one table feeds validation ("did you mean"), ``attune params``, docs, and later sliders, sensitivity and
calibration. A name that begins with ``client_`` or ``therapist_`` holds for that role alone; without such a prefix
it holds for both. ``source`` is a key of ``sources.yaml`` or empty; ``status`` is *empirical* (read off the
source), *derived* (follows from other parameters; how is said), *calibrated* (the result of ``attune calibrate``, rounded to three
digits; its prior stands in ``evidence/calibration/free.py``) or *assumption*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim.errors import ParameterError
from sim.naming import nearest
from sim.theory.regions import intact


@dataclass(frozen=True)
class Parameter:
    """One parameter of the model.

    ``default``, ``low`` and ``high`` are in ``unit``; ``status``: empirical, derived, calibrated or assumption; ``source``: a key of
    ``sim/theory/sources.yaml`` where there is one.

    >>> Parameter("rumination_rate", 0.5, "proportion", 0, 1, "assumption", "", "of rumination").default
    0.5
    """

    name: str
    default: float
    unit: str
    low: float
    high: float
    status: str
    source: str
    meaning: str
    group: str = ""


_LOGIT, _RATE, _SHARE, _GAIN = "logit", "proportion per step", "proportion", "logit per unit"

# group -> rows of (name, default, unit, low, high, status, source, meaning)
_TABLE: dict[str, list[tuple[str, float, str, float, float, str, str, str]]] = {
    "typical person (where terms are centred)": [
        ("anxiety_typical", 0.45, _SHARE, 0, 1, "empirical", "fraley_faq", "typical attachment anxiety of either role, (ECR - 1)/6"),
        ("avoidance_typical", 0.36, _SHARE, 0, 1, "empirical", "fraley_faq", "typical attachment avoidance of either role, (ECR - 1)/6"),
        ("client_distress_typical", 1.4, "community SD", -2, 4, "assumption", "", "distress at which the typical client's arousal is centred"),
        ("therapist_distress_typical", 0.0, "community SD", -2, 4, "assumption", "", "the same for therapists"),
        ("client_perceived_typical", 0.596, _SHARE, 0.05, 0.95, "derived", "", "response that the typical client perceives and so expects; set to the stationary value of the typical dyad"),
        ("therapist_perceived_typical", 0.546, _SHARE, 0.05, 0.95, "derived", "", "collaboration that the typical therapist perceives and so expects; set likewise"),
        ("client_arousal_typical", 0.287, _SHARE, 0, 1, "derived", "", "stationary arousal of the typical client"),
        ("therapist_arousal_typical", 0.233, _SHARE, 0, 1, "derived", "", "stationary arousal of the typical therapist"),
        ("client_inconsistency_typical", 0.08, _SHARE, 0, 0.5, "derived", "", "how erratic the typical therapist seems to the typical client"),
        ("therapist_inconsistency_typical", 0.024, _SHARE, 0, 0.5, "derived", "", "how erratic the typical client seems to the typical therapist"),
        ("client_estimate_typical", 0.334, _SHARE, 0, 1, "derived", "", "the therapist's arousal as the typical client reads it"),
        ("therapist_estimate_typical", 0.386, _SHARE, 0, 1, "derived", "", "the client's arousal as the typical therapist reads it"),
        ("client_felt_typical", 0.163, _SHARE, 0.01, 1, "derived", "", "felt signal of the typical client"),
        ("therapist_felt_typical", 0.311, _SHARE, 0.01, 1, "derived", "", "felt signal of the typical therapist"),
        ("client_mentalising_typical", 0.468, _SHARE, 0, 1, "derived", "", "mentalising of the typical client"),
        ("therapist_mentalising_typical", 0.647, _SHARE, 0, 1, "derived", "", "mentalising of the typical therapist"),
        ("attunement_typical", 0.681, _SHARE, 0, 1, "derived", "", "attunement of the typical therapist: how well their estimate agrees with the client's arousal"),
        ("felt_understanding_typical", 0.669, _SHARE, 0, 1, "derived", "", "felt understanding of the typical therapist"),
        ("warmth_typical", 0.724, _SHARE, 0, 1, "derived", "", "warmth of the typical therapist"),
        ("expression_typical", 0.344, _SHARE, 0, 1, "derived", "", "expression of the typical client"),
        ("disclosure_typical", 0.452, _SHARE, 0, 1, "derived", "", "disclosure of the typical client"),
        ("labelling_typical", 0.282, _SHARE, 0.01, 1, "derived", "", "labelling of the typical client"),
        ("shared_meaning_typical", 0.217, _SHARE, 0, 1, "derived", "", "shared meaning of the typical dyad"),
        ("trust_typical", 0.62, _SHARE, 0.05, 0.95, "assumption", "", "trust that typical responses support in the long run"),
        ("capability_typical", 0.62, _SHARE, 0.05, 0.95, "assumption", "", "perceived capability of the typical therapist"),
        ("alliance_typical", 0.49, _SHARE, 0.05, 0.95, "derived", "", "latent alliance of the typical dyad"),
        ("engagement_typical", 0.581, _SHARE, 0.05, 0.95, "derived", "", "engagement of the typical client"),
    ],
    "arousal": [
        ("client_arousal_base", -0.2, _LOGIT, -4, 4, "assumption", "", "pull of arousal for the typical client in a typical moment"),
        ("therapist_arousal_base", -1.6, _LOGIT, -4, 4, "assumption", "", "the same for the therapist, who is at work rather than in need"),
        ("arousal_distress_gain", 0.4, "logit per SD", 0, 3, "assumption", "", "how much distress raises arousal"),
        ("arousal_anxiety_gain", 1.52, _GAIN, 0, 8, "calibrated", "", "how much attachment anxiety raises arousal (hyperactivation)"),
        ("rejection_gain", 1.0, _GAIN, 0, 8, "assumption", "", "how much a response that fell short alarms anxious people"),
        ("client_arousal_stress_sd", 1.0, _LOGIT, 0, 3, "assumption", "", "moment-to-moment variation of what is talked about"),
        ("therapist_arousal_stress_sd", 0.3, _LOGIT, 0, 3, "assumption", "", "the same for the therapist"),
        ("client_contagion_share", 0.1, _SHARE, 0, 1, "assumption", "", "proportion of a client's arousal that resonates with the therapist's"),
        ("therapist_contagion_share", 0.85, _SHARE, 0, 1, "assumption", "cittern2017", "proportion of a therapist's arousal that resonates with the client's"),
        ("contagion_base", 0.85, _SHARE, 0, 2, "assumption", "", "arousal per mirrored expression in the typical person"),
        ("contagion_anxiety_gain", 1.2, "proportion per unit", 0, 5, "assumption", "cittern2017", "how much attachment anxiety floods by resonance"),
        ("arousal_rise_rate", 0.5, _RATE, 0, 1, "assumption", "", "proportion of the way up per exchange"),
        ("arousal_fall_rate", 0.5, _RATE, 0, 1, "assumption", "", "proportion of the way down per exchange"),
        ("recovery_anxiety_cost", 0.5, "per unit", 0, 4, "assumption", "", "how much anxiety slows the return to calm"),
        ("regulation_gain", 0.4, _SHARE, 0, 1, "assumption", "", "how much trained regulation slows rising and speeds falling"),
        ("co_regulation_rate", 0.12, "per unit", 0, 2, "assumption", "", "calming by a perceived response, per exchange"),
    ],
    "signals": [
        ("habit_share", 0.6, _SHARE, 0, 1, "assumption", "", "weight of attachment in general in what people seek, show and say; the rest is of this bond"),
        ("bid_arousal_gain", 3.0, _GAIN, 0, 10, "assumption", "", "how much arousal raises bids for support"),
        ("bid_anxiety_gain", 2.0, _GAIN, 0, 10, "assumption", "", "how much anxiety magnifies bids"),
        ("bid_avoidance_cost", 2.0, _GAIN, 0, 10, "assumption", "", "how much avoidance mutes bids"),
        ("expression_gain", 1.0, "logit per logit", 0, 3, "assumption", "", "how much of felt arousal shows; 0 = a constant face"),
        ("client_expression_offset", 0.0, _LOGIT, -5, 5, "assumption", "", "general expressiveness of clients"),
        ("therapist_expression_offset", -0.8, _LOGIT, -5, 5, "assumption", "", "professional containment of what therapists show"),
        ("expression_flattening", 3.6, "per unit", 0, 6, "assumption", "", "how much avoidance flattens what shows: the face follows arousal less"),
        ("expression_avoidance_cost", 1.61, _GAIN, 0, 10, "calibrated", "", "how much avoidance hides arousal (deactivation)"),
        ("expression_anxiety_gain", 1.5, _GAIN, 0, 10, "assumption", "", "how much anxiety magnifies what shows (hyperactivation)"),
        ("expression_trust_gain", 0.8, _GAIN, 0, 10, "assumption", "", "how much trust lets show"),
        ("disclosure_base", -0.3, _LOGIT, -5, 5, "assumption", "", "disclosure of the typical person at trust .5"),
        ("disclosure_trust_gain", 1.2, _GAIN, 0, 10, "assumption", "", "how much trust lets people say what they feel"),
        ("disclosure_avoidance_cost", 5.96, _GAIN, 0, 10, "assumption", "", "how much avoidance holds back"),
        ("disclosure_fearful_cost", 4.0, "logit per unit^2", 0, 20, "assumption", "", "extra holding back when anxiety and avoidance are both high"),
        ("disclosure_expression_gain", 1.5, _GAIN, 0, 10, "assumption", "", "how much visible affect prompts words"),
        ("client_warmth_base", 1.43, _LOGIT, -4, 4, "assumption", "", "warmth that a wholly unavoidant client conveys"),
        ("therapist_warmth_base", 1.43, _LOGIT, -4, 4, "assumption", "", "warmth that a wholly unavoidant therapist conveys"),
        ("avoidance_warmth_cost", 1.2, _GAIN, 0, 10, "assumption", "", "how much a person's avoidance costs warmth"),
        ("fatigue_warmth_cost", 1.0, _GAIN, 0, 10, "assumption", "wilkinson2017", "how much fatigue costs warmth"),
    ],
    "the empathic chain": [
        ("mirror_gain", 0.3, _LOGIT, -3, 3, "assumption", "", "amplification of what is seen"),
        ("mirror_avoidance_cost", 0.6, _GAIN, 0, 6, "assumption", "", "how much the observer's avoidance damps mirroring"),
        ("mirror_noise_sd", 0.45, _LOGIT, 0, 3, "assumption", "", "noise of mirroring"),
        ("mirror_noise_avoidance_gain", 4.0, "per unit", 0, 10, "assumption", "", "how much less clearly avoidant people mirror"),
        ("insula_half", 0.15, _SHARE, 0.01, 2, "assumption", "", "own arousal at which half the felt gain is reached"),
        ("mentalising_threshold", 0.35, _SHARE, 0, 1, "assumption", "", "arousal above which mentalising falters"),
        ("mentalising_width", 0.25, _SHARE, 0.02, 2, "assumption", "", "how fast it falters"),
        ("mentalising_avoidance_cost", 0.5, "per unit", 0, 6, "assumption", "", "how much avoidance lowers mentalising"),
        ("self_other_flood_cost", 0.8, "per unit", 0, 5, "assumption", "", "how much high arousal blurs self and other"),
        ("estimate_correction", 0.9, _SHARE, 0, 2, "assumption", "", "proportion of what a partner hides that full mentalising corrects"),
        ("felt_precision", 6.0, "weight", 0, 50, "assumption", "", "how far a strong felt signal is relied on; what is assumed has the weight 1"),
        ("felt_half", 0.3, _SHARE, 0.001, 2, "assumption", "", "felt signal that is relied on half as much"),
        ("words_precision", 12.0, "weight", 0, 100, "assumption", "", "how far words are relied on where everything is said and understood"),
        ("concealment_gain", 1.0, _GAIN, 0, 10, "assumption", "", "how much smaller people make what they feel who say little"),
        ("word_noise_sd", 0.6, _LOGIT, 0, 4, "assumption", "", "how far words miss what is felt"),
        ("estimate_noise_sd", 0.8, _LOGIT, 0, 4, "assumption", "", "error of an estimate that rests on nothing but what is assumed"),
        ("salience_base", 0.0, _LOGIT, -2, 2, "assumption", "", "how much too high arousal is read in general"),
        ("salience_gain", 0.25, "logit per logit", 0, 3, "assumption", "atzilslonim2019", "how much stronger than it is strong arousal is read: negative affect stands out"),
        ("attunement_width", 0.16, _SHARE, 0.02, 1, "assumption", "", "error of the estimate at which attunement has fallen to 1/e"),
    ],
    "response": [
        ("response_base", 0.55, _LOGIT, -4, 4, "assumption", "", "response of the typical therapist in a typical moment"),
        ("response_attunement_gain", 1.7, _GAIN, 0, 10, "assumption", "", "how much understanding improves the response"),
        ("response_felt_floor", 0.3, _SHARE, 0, 1, "assumption", "", "proportion of understanding that counts even when not felt"),
        ("felt_enough", 0.1, _SHARE, 0.01, 1, "assumption", "", "felt signal from which understanding counts in full"),
        ("response_warmth_gain", 2.5, _GAIN, 0, 10, "assumption", "", "how much warmth improves the response"),
        ("response_trust_gain", 0.5, _GAIN, 0, 10, "assumption", "", "how much the therapist's own bond with the client improves it"),
        ("response_reaching_cost", 25, "logit per unit^2", 0, 80, "assumption", "", "how little an avoidant therapist gives to clients who make few bids"),
        ("bid_enough", 0.35, _SHARE, 0, 1, "assumption", "", "bids at which even an avoidant therapist needs no more"),
        ("timing_lapse_cost", 0.8, _GAIN, 0, 6, "assumption", "", "what coming late costs"),
        ("timing_lapse_threshold", 1.0, "SD", -3, 6, "assumption", "", "how much it takes to come late"),
        ("timing_bid_gain", 0.3, "SD per unit", 0, 6, "assumption", "", "how much a strong bid prevents lateness"),
        ("forced_response_share", 0.0, _SHARE, 0, 1, "assumption", "", "experimenter's switch: 1 replaces the therapist's response"),
        ("forced_response_low", 0.6, _SHARE, 0.001, 0.999, "assumption", "", "the lower response put in its place"),
        ("forced_response_high", 0.6, _SHARE, 0.001, 0.999, "assumption", "", "the higher one; each comes half the time"),
        ("collaboration_base", 0.2, _LOGIT, -4, 4, "assumption", "", "collaboration of the typical client at trust .5"),
        ("collaboration_disclosure_gain", 3, _GAIN, 0, 10, "assumption", "", "how much openness counts as collaboration"),
        ("collaboration_trust_gain", 1.0, _GAIN, 0, 10, "assumption", "", "how much trust makes clients work along"),
        ("collaboration_engagement_gain", 1.5, _GAIN, 0, 10, "assumption", "", "how much engagement makes them work along"),
    ],
    "perception": [
        ("expectation_avoidance_cost", 1.07, _GAIN, 0, 10, "assumption", "", "how much avoidance lowers what is expected of others"),
        ("expectation_anxiety_cost", 0.3, _GAIN, 0, 10, "assumption", "", "how much anxiety lowers it"),
        ("perception_pull_base", 0.2, _SHARE, 0, 1, "assumption", "", "pull of expectation on perception in a fully secure person"),
        ("perception_pull_gain", 0.3, _SHARE, 0, 1, "assumption", "", "extra pull in a fully insecure person"),
        ("perception_mentalising_gain", 0.15, "proportion per unit", 0, 1, "assumption", "", "how much mentalising loosens that pull"),
        ("threat_gain", 1.11, "logit per unit^2", 0, 10, "calibrated", "", "how much an aroused anxious person under-hears the response"),
        ("closeness_cost", 0.4, "logit per unit^2", 0, 10, "assumption", "", "how uneasy warmth makes avoidant people"),
        ("client_tension_reading_gain", 1.0, _GAIN, 0, 10, "assumption", "", "how much a client is put off by the tension they read in the therapist"),
        ("therapist_tension_reading_gain", 0.2, _GAIN, 0, 10, "assumption", "", "the same for therapists, who expect tension in clients"),
        ("compatibility_sd", 0.513, _LOGIT, 0, 3, "calibrated", "", "spread between dyads of lasting compatibility, unrelated to style"),
        ("compatibility_shared_share", 0.158, _SHARE, 0, 1, "assumption", "", "proportion of that compatibility which both people feel alike; the rest each feels for themselves"),
        ("complementarity_gain", 0.0, "logit per unit squared", -60, 60, "assumption", "", "contested: above 0 people who differ in attachment get on better, below 0 those who are alike; 0 = neither"),
    ],
    "learning": [
        ("plasticity", 1.0, "factor", 0, 3, "assumption", "", "scales all that is learned of attachment and regulation, and what stirs them; 0 = nothing is. Not the pull to what one is used to"),
        ("gate_centre", 0.33, _SHARE, 0, 1, "assumption", "gershman2017", "arousal at which people learn best"),
        ("gate_width", 0.22, _SHARE, 0.02, 2, "assumption", "gershman2017", "how fast learning closes away from it"),
        ("client_other_model_rate", 0.018, _RATE, 0, 0.2, "assumption", "", "learning of the client's expectation of the other"),
        ("therapist_other_model_rate", 0.01, _RATE, 0, 0.2, "assumption", "", "the same for therapists, who learn more slowly"),
        ("client_self_model_rate", 0.035, _RATE, 0, 0.2, "assumption", "", "learning of the client's expectation of the self"),
        ("therapist_self_model_rate", 0.01, _RATE, 0, 0.2, "assumption", "", "the same for therapists"),
        ("self_model_reliability_gain", 2.0, "per unit", 0, 10, "assumption", "ainsworth1978", "weight of reliability in the self model"),
        ("self_model_surprise_gain", 0.3, "per unit", 0, 10, "assumption", "", "weight of better-than-expected responses in the self model"),
        ("other_model_doubt_gain", 8.0, "per unit", 0, 50, "assumption", "ainsworth1978", "how much an erratic partner slows learning about their level"),
        ("safety_value_gain", 1.0, "per unit", 0, 2, "assumption", "", "how much learned safety speeds learning about the other"),
        ("perceived_mean_rate", 0.1, _RATE, 0, 1, "assumption", "", "how fast the running mean of responses follows"),
        ("inconsistency_rate", 0.05, _RATE, 0, 1, "assumption", "", "how fast the running inconsistency follows"),
        ("regulation_rate", 0.02, _RATE, 0, 0.1, "assumption", "treur2022", "learning rate of trained regulation"),
        ("regulation_perceived_share", 0.3, _SHARE, 0, 2, "assumption", "", "how much being responded to trains regulation without words"),
        ("regulation_keep", 0.8, _SHARE, 0, 1, "assumption", "treur2022", "persistence of the Hebbian weight"),
        ("regulation_week_keep", 0.995, _SHARE, 0, 1, "assumption", "", "what is left of trained regulation after a week without practice"),
        ("labelling_base", -1.0, _LOGIT, -5, 5, "assumption", "", "labelling of what is said when it does not feel safe"),
        ("labelling_safety_gain", 2.5, _GAIN, 0, 10, "assumption", "", "how much felt safety helps labelling"),
        ("labelling_calm_rate", 0.5, "per unit", 0, 5, "assumption", "lieberman2007", "calming by labelling"),
        ("labelling_untrained_share", 0.3, _SHARE, 0, 2, "assumption", "", "calming that needs no training"),
        ("shared_meaning_rate", 0.1, _RATE, 0, 1, "assumption", "", "how fast meaning is made together"),
        ("alliance_security_rate", 0.01, "proportion per unit", 0, 0.2, "assumption", "", "how much a session's alliance moves attachment to the partner"),
        ("carried_share", 0.3, _SHARE, 0, 1, "assumption", "", "how much of general attachment a new bond begins with"),
        ("bond_spread", 0.75, "factor", 0, 3, "assumption", "", "spread of new bonds that belongs to the two people, as a factor of what the carried share leaves"),
        ("session_carry_rate", 0.02, _RATE, 0, 1, "assumption", "fraley2011", "pull, per session, of the bond with this person toward what the general model expects of it"),
        ("client_prototype_learning_rate", 0.065, _RATE, 0, 1, "assumption", "fraley2011", "learning of the client's general model from the bond with this person, per session"),
        ("therapist_prototype_learning_rate", 0.005, _RATE, 0, 1, "assumption", "fraley2011", "the same for therapists, from each of many clients"),
        ("general_trust_gain", 3.5, "logit per logit", 0, 10, "assumption", "", "how much trust lets a bond teach about people in general"),
        ("sustained_rate", 0.15, "proportion per session", 0, 1, "assumption", "", "how fast trust counts as lasting"),
        ("anchor_learning_share", 0.9, _SHARE, 0, 1, "assumption", "", "proportion of what the general model learns that reaches the early anchor, in a bond of full and lasting trust"),
        ("anchor_rate", 0.05, _RATE, 0, 1, "assumption", "fraley2011", "weekly pull of the general model toward the early anchor"),
    ],
    "rupture and repair": [
        ("tension_keep", 0.8, _SHARE, 0, 1, "assumption", "", "disappointment left after one exchange"),
        ("hazard_base", -4.3, _LOGIT, -12, 4, "assumption", "", "rupture in an exchange in which nothing goes wrong"),
        ("hazard_tension_gain", 1.2, "logit per unit", 0, 20, "assumption", "", "how much built-up disappointment makes ruptures likelier"),
        ("hazard_missed_gain", 10.0, "logit per unit", 0, 100, "assumption", "", "how much a missed bid does"),
        ("hazard_task_gain", 2.0, _GAIN, 0, 20, "assumption", "", "how much disagreement on tasks does"),
        ("depth_base", -1.5, _LOGIT, -6, 4, "assumption", "", "depth of the middle rupture"),
        ("depth_sd", 0.9, _LOGIT, 0, 4, "assumption", "", "spread of depth"),
        ("depth_tension_gain", 0.5, "logit per unit", 0, 10, "assumption", "", "how much deeper it goes after much disappointment"),
        ("depth_anxiety_gain", 1.0, _GAIN, 0, 10, "assumption", "", "how much deeper it goes in anxious clients"),
        ("client_rupture_alliance_cost", 2.2, "logit per unit", 0, 10, "assumption", "", "what an open rupture takes from the alliance of the day, client's view"),
        ("therapist_rupture_alliance_cost", 1.0, "logit per unit", 0, 10, "assumption", "", "the same in the view of the therapist, who misses a part of it"),
        ("rupture_recovery", 0.4, "proportion per session", 0, 1, "assumption", "", "proportion of an open rupture that heals by itself until the next session"),
        ("repaired_share", 0.7, _SHARE, 0, 1, "assumption", "", "proportion of what is open that a repair closes"),
        ("repair_worth", 0.05, _SHARE, 0, 1, "assumption", "", "what has to be open of ruptures for a therapist to take it up in a later session"),
        ("confrontation_gain", 4.0, _GAIN, 0, 20, "assumption", "", "how much anxiety turns ruptures into confrontations and avoidance into withdrawals"),
        ("notice_floor", 0.6, _SHARE, 0, 1, "assumption", "", "how surely strain is noticed without any conflict signal"),
        ("notice_conflict_gain", 2.0, "per unit", 0, 20, "assumption", "", "how much the conflict signal adds"),
        ("repair_base", -1.3, _LOGIT, -6, 6, "assumption", "", "repair by a therapist who understands nothing"),
        ("repair_understanding_gain", 2.5, _GAIN, 0, 10, "assumption", "", "how much understanding helps repair"),
        ("repair_avoidance_cost", 1.5, _GAIN, 0, 10, "assumption", "", "how much the therapist's avoidance hinders repair"),
        ("repair_confrontation_gain", 0.8, _LOGIT, 0, 6, "assumption", "", "how much easier an open challenge is to answer than a withdrawal"),
        ("repair_disclosure_gain", 2.0, _GAIN, 0, 10, "assumption", "millerbottome2018", "how much the client's own words help repair"),
        ("repair_client_share", 0.25, _SHARE, 0, 1, "assumption", "millerbottome2018", "proportion of noticing that is the client's"),
        ("repair_effort", 1.0, "factor", 0, 1, "assumption", "", "whether the therapist tries to repair; 0 = never"),
        ("repair_trust_step", 0.1, _SHARE, 0, 0.25, "assumption", "", "trust won by the repair of all that can be open"),
        ("repair_attachment_step", 0.02, _SHARE, 0, 0.25, "assumption", "", "security with this therapist won by it"),
        ("rupture_trust_step", 0.15, _SHARE, 0, 0.25, "assumption", "", "trust lost by a rupture of full depth that is not repaired at once"),
        ("rupture_attachment_step", 0.02, _SHARE, 0, 0.25, "assumption", "", "security with this therapist lost by it"),
    ],
    "alliance": [
        ("trust_start", 0.44, _SHARE, 0.05, 0.95, "assumption", "", "trust at the first meeting, typical person"),
        ("impression_accuracy", 0.35, "correlation", 0, 1, "assumption", "", "how far first impressions see the lasting compatibility"),
        ("impression_shared_share", 0.365, _SHARE, 0, 1, "assumption", "", "proportion of first impressions that both people have alike"),
        ("impression_fade", 0.2, "proportion per session", 0, 1, "assumption", "", "how fast a first impression fades"),
        ("trust_impression_gain", 0.65, "logit per SD", 0, 4, "assumption", "", "how much a first impression moves trust at first"),
        ("agreement_impression_gain", 0.65, "logit per SD", 0, 4, "assumption", "", "how much it moves agreement at first"),
        ("expectation_impression_gain", 0.15, "logit per SD", 0, 4, "assumption", "", "how much it moves what is expected"),
        ("trust_start_security_gain", 0.5, _GAIN, 0, 5, "assumption", "", "how much security raises trust at the first meeting"),
        ("trust_rate", 0.14, "proportion per session", 0, 1, "calibrated", "", "how fast trust follows"),
        ("trust_response_gain", 1.24, "logit per logit", 0, 6, "calibrated", "", "how much perceived responses move trust"),
        ("bond_security_gain", 0.24, _GAIN, 0, 6, "calibrated", "", "how much security with this partner turns trust into a bond"),
        ("quality_response_gain", 0.5, "SD per logit", 0, 6, "assumption", "", "how much better responses than usual make a good session"),
        ("quality_luck_sd", 0.8, "SD", 0, 4, "assumption", "", "what else makes sessions good or bad"),
        ("quality_distress_cost", 1.1, "SD per SD", 0, 10, "assumption", "", "how much a bad week makes a bad session"),
        ("quality_shared_share", 0.269, _SHARE, 0, 1, "assumption", "", "proportion of what else makes them so that is the same for both people"),
        ("usual_rate", 0.2, "proportion per session", 0, 1, "assumption", "", "how fast people get used to what sessions are like, and weeks"),
        ("alliance_quality_gain", 0.2, "logit per SD", 0, 4, "assumption", "", "how much a good session colours the alliance after it"),
        ("capability_rate", 0.2, "proportion per session", 0, 1, "assumption", "", "how fast perceived capability follows"),
        ("capability_attunement_gain", 1.0, _GAIN, 0, 10, "assumption", "", "how much being understood makes a therapist seem capable"),
        ("capability_progress_gain", 0.04, "logit per SD", 0, 5, "assumption", "", "how much progress does"),
        ("capability_trust_gain", 1.5, _GAIN, 0, 10, "assumption", "", "how much trust does"),
        ("agreement_rate", 0.25, "proportion per session", 0, 1, "assumption", "", "how fast agreement on tasks and goals follows"),
        ("agreement_base", 0.45, _LOGIT, -4, 4, "assumption", "", "agreement of the typical dyad"),
        ("agreement_start", 0.44, _SHARE, 0.05, 0.95, "assumption", "", "agreement at the first meeting"),
        ("task_agreement_capability_gain", 1.8, _GAIN, 0, 10, "assumption", "", "task: weight of perceived capability"),
        ("goal_agreement_capability_gain", 1.0, _GAIN, 0, 10, "assumption", "", "goal: weight of perceived capability"),
        ("task_agreement_meaning_gain", 0.6, _GAIN, 0, 10, "assumption", "", "task: weight of shared meaning"),
        ("goal_agreement_meaning_gain", 0.6, _GAIN, 0, 10, "assumption", "", "goal: weight of shared meaning"),
        ("task_agreement_trust_gain", 1.0, _GAIN, 0, 10, "assumption", "", "task: weight of trust"),
        ("goal_agreement_trust_gain", 1.2, _GAIN, 0, 10, "assumption", "", "goal: weight of trust"),
        ("task_agreement_progress_gain", 0.02, "logit per SD", 0, 5, "assumption", "", "task: weight of progress"),
        ("goal_agreement_progress_gain", 0.06, "logit per SD", 0, 5, "assumption", "", "goal: weight of progress"),
        ("engagement_rate", 0.25, "proportion per session", 0, 1, "assumption", "", "how fast engagement follows"),
        ("engagement_base", 0.4, _LOGIT, -4, 4, "assumption", "", "engagement of the typical client"),
        ("engagement_alliance_gain", 1.2, _GAIN, 0, 12, "assumption", "", "how much the alliance motivates"),
        ("engagement_distress_gain", 0.08, "logit per SD", 0, 4, "assumption", "", "how much suffering motivates"),
    ],
    "outcome": [
        ("healing_rate", 0.0612, "proportion per session", 0, 0.5, "calibrated", "", "proportion of excess distress that one typical session takes away"),
        ("healing_alliance_power", 0.712, "exponent", 0, 6, "calibrated", "", "how much the alliance matters for that"),
        ("healing_reach", 0.6, "community SD", 0.05, 100, "assumption", "", "excess distress at which a session takes away half of what it would if gains stayed in proportion"),
        ("relief_gain", 0.085, "SD per SD", 0, 2, "assumption", "", "distress that a session one SD better than usual takes away for a while"),
        ("healing_labelling_share", 0.1, _SHARE, 0, 1, "assumption", "", "how much naming feelings matters for that"),
        ("healing_lasting_share", 0.74, _SHARE, 0, 1, "assumption", "", "proportion of a session's gain that lowers the set point and so lasts"),
        ("healthy_distress", -1.5, "community SD", -3, 2, "assumption", "", "distress below which therapy takes nothing away"),
        ("rupture_distress_step", 0.0285, "SD per session", 0, 1, "calibrated", "", "distress that an open rupture of full depth adds"),
        ("dropout_base", -5.97, _LOGIT, -12, 4, "calibrated", "", "leaving after a typical late session, for reasons inside the therapy"),
        ("dropout_alliance_gain", 4.91, _GAIN, 0, 20, "calibrated", "", "how much the alliance keeps people"),
        ("dropout_engagement_gain", 2.0, _GAIN, 0, 20, "assumption", "", "how much engagement keeps people"),
        ("dropout_rupture_gain", 2, _LOGIT, 0, 6, "assumption", "", "what an open rupture makes leave"),
        ("dropout_avoidance_gain", 0.5, _GAIN, 0, 10, "assumption", "", "how much avoidance of this therapist makes leave"),
        ("dropout_outside", 0.00348, "per session", 0, 1, "assumption", "", "probability of leaving for reasons outside of the therapy"),
        ("dropout_early_gain", 1.7, _LOGIT, 0, 6, "assumption", "", "how much likelier leaving is at first"),
        ("dropout_early_fade", 3.0, "sessions", 0.1, 100, "assumption", "", "how long that lasts"),
        ("good_enough_distress", 0.3, "community SD", -3, 4, "assumption", "", "distress below which a course may end as improved"),
        ("good_enough_sessions", 6.0, "sessions", 1, 500, "assumption", "", "sessions after which it may"),
        ("good_enough_prob", 0.04, "per session", 0, 1, "assumption", "", "probability that it does"),
    ],
    "service": [
        ("waiting_loss_base", -4.6, _LOGIT, -12, 4, "assumption", "", "giving up while waiting, in the first week: about 1 %"),
        ("waiting_loss_week_gain", 0.04, "logit per week", 0, 1, "assumption", "", "how much each week of waiting adds"),
        ("waiting_loss_distress_gain", 0.4, "logit per SD", 0, 4, "assumption", "", "how much distress keeps people waiting"),
        ("fatigue_week_keep", 0.9, "proportion per week", 0, 1, "assumption", "", "fatigue that is left after a week's rest"),
        ("fatigue_load_gain", 0.05, "proportion per full load", 0, 1, "assumption", "", "fatigue from overload"),
        ("fatigue_carried_gain", 0.4, "proportion per unit", 0, 4, "assumption", "brugnera2023", "fatigue from distress carried home"),
        ("fatigue_rupture_gain", 0.02, "proportion per rupture and room", 0, 1, "assumption", "", "fatigue from unrepaired ruptures"),
        ("quitting_base", -6.3, _LOGIT, -16, 4, "assumption", "", "leaving the post: about 9 % a year when rested"),
        ("quitting_fatigue_gain", 4.0, "logit per unit", 0, 20, "assumption", "", "how much fatigue makes therapists leave"),
        ("between_loss_base", -4.6, _LOGIT, -12, 4, "assumption", "", "giving up between two therapists, in the first week: about 1 %"),
        ("off_track_points", 4.0, "CORE-OM points", 0, 40, "assumption", "", "a client is off track who stands this far above where typical progress would have brought them"),
        ("expected_points", 0.35, "CORE-OM points per session", 0, 10, "assumption", "", "progress that routine monitoring expects"),
        ("expected_points_most", 5.0, "CORE-OM points", 0, 40, "assumption", "", "progress beyond which monitoring expects no more"),
        ("feedback_skill_step", 0.06, _SHARE, 0, 1, "assumption", "", "how much more carefully a therapist mentalises in a session with a client known to be off track"),
        ("feedback_repair_step", 0.8, _LOGIT, 0, 6, "assumption", "", "how much readier the therapist is to repair ruptures then"),
        ("hand_over_share", 0.3, _SHARE, 0, 1, "assumption", "", "proportion of the bond that carries over to the next therapist"),
    ],
    "people": [
        ("client_anxiety_mean", 3.56, "ECR 1-7", 1, 7, "assumption", "fraley_faq", "community mean of latent attachment anxiety, such that the questionnaire gives the published 3.6"),
        ("client_anxiety_sd", 1.28, "ECR 1-7", 0.05, 4, "assumption", "fraley_faq", "community spread, such that the questionnaire gives the published 1.2"),
        ("client_avoidance_mean", 2.76, "ECR 1-7", 1, 7, "assumption", "fraley_faq", "community mean of latent attachment avoidance, such that the questionnaire gives the published 2.92"),
        ("client_avoidance_sd", 1.31, "ECR 1-7", 0.05, 4, "assumption", "fraley_faq", "community spread, such that the questionnaire gives the published 1.19"),
        ("therapist_anxiety_mean", 2.8, "ECR 1-7", 1, 7, "empirical", "carvalho2024", "therapists' mean of attachment anxiety"),
        ("therapist_anxiety_sd", 0.95, "ECR 1-7", 0.05, 4, "assumption", "", "therapists' spread"),
        ("therapist_avoidance_mean", 2.3, "ECR 1-7", 1, 7, "empirical", "carvalho2024", "therapists' mean of attachment avoidance"),
        ("therapist_avoidance_sd", 0.85, "ECR 1-7", 0.05, 4, "assumption", "", "therapists' spread"),
        ("anxiety_avoidance_r", 0.10, "correlation", -0.9, 0.9, "assumption", "openpsychometrics", "between the dimensions in the population; published values run from -.05 to .67"),
        ("prototype_state_share", 0.33, _SHARE, 0, 0.95, "calibrated", "sibley2004", "proportion of attachment variance that comes and goes around the early anchor"),
        ("earned_share", 0.9, _SHARE, 0, 1, "assumption", "", "where a scenario says that somebody was elsewhere early in life: how much of that way their anchor has come"),
        ("life_event_prob", 0.02, "per week", 0, 1, "assumption", "fraley2021", "probability of a life event that matters for attachment"),
        ("life_event_moves_prob", 0.5, _SHARE, 0, 1, "empirical", "fraley2021", "proportion of events that move attachment"),
        ("life_event_lasting_prob", 0.25, _SHARE, 0, 1, "empirical", "fraley2021", "proportion of events that move it for good (the anchor too)"),
        ("life_event_sd", 0.05, _SHARE, 0, 0.5, "assumption", "", "size of such a move"),
        ("life_event_distress_share", 0.5, _SHARE, 0, 1, "assumption", "", "proportion of what stirs distress from week to week that comes in life events: rare and large, either way, fading"),
        ("anxiety_distress_gain", 0.0006, "proportion per SD and week", 0, 0.05, "assumption", "ciocca2020", "how much distress feeds attachment anxiety"),
        ("avoidance_distress_gain", 0.0003, "proportion per SD and week", 0, 0.05, "assumption", "ciocca2020", "how much distress feeds attachment avoidance"),
        ("client_skill_mean", 0.5, _SHARE, 0, 1, "assumption", "", "clients' capacity to mentalise"),
        ("client_skill_sd", 0.12, _SHARE, 0, 0.5, "assumption", "", "its spread"),
        ("therapist_skill_mean", 0.65, _SHARE, 0, 1, "assumption", "", "therapists' capacity to mentalise"),
        ("therapist_skill_sd", 0.12, _SHARE, 0, 0.5, "assumption", "", "its spread"),
        ("client_warmth_trait_sd", 0.4, _LOGIT, 0, 3, "assumption", "", "spread of warmth between clients beyond attachment"),
        ("therapist_warmth_trait_sd", 0.4, _LOGIT, 0, 3, "assumption", "", "spread of warmth between therapists beyond attachment; contested: with it the therapist's proportion of alliance and outcome is small or large"),
        ("client_treatment_gain_sd", 0.44, _SHARE, 0, 3, "calibrated", "lambert2013", "spread between clients of what the same treatment does to them, beyond the alliance; where it falls below -1 treatment harms"),
        ("therapist_treatment_gain_sd", 0.515, "log", 0, 2, "calibrated", "johns2019", "spread between therapists of how well they carry out the treatment, beyond the alliance"),
        ("regulation_start", 0.35, _SHARE, 0, 1, "assumption", "", "trained regulation of the typical person at intake"),
        ("regulation_start_sd", 0.12, _SHARE, 0, 0.5, "assumption", "", "spread of that beyond security; as large as that of skill"),
        ("regulation_start_security_gain", 0.3, "proportion per unit", 0, 2, "assumption", "", "how much security raises it"),
        ("immature_anxiety_path", 0.34, "SD per SD", -1, 1, "assumption", "ciocca2020", "attachment anxiety -> immature defences"),
        ("immature_avoidance_path", 0.10, "SD per SD", -1, 1, "assumption", "ciocca2020", "attachment avoidance -> immature defences"),
        ("neurotic_anxiety_path", 0.24, "SD per SD", -1, 1, "assumption", "ciocca2020", "attachment anxiety -> neurotic defences"),
        ("distress_anxiety_path", 0.316, "SD per SD", -1, 1, "assumption", "zhang2022", "attachment anxiety -> distress, not through defences"),
        ("distress_avoidance_path", 0.362, "SD per SD", -1, 1, "assumption", "zhang2022", "attachment avoidance -> distress, not through defences"),
        ("distress_immature_path", 0.322, "SD per SD", -1, 1, "calibrated", "ciocca2020", "immature defences -> distress"),
        ("distress_neurotic_path", 0.12, "SD per SD", -1, 1, "assumption", "ciocca2020", "neurotic defences -> distress"),
        ("distress_state_share", 0.427, _SHARE, 0, 1, "calibrated", "", "proportion of distress variance that comes and goes"),
        ("distress_return_rate", 0.0603, "proportion per week", 0, 1, "assumption", "", "pull of distress to its set point"),
        ("help_seeking_threshold", 1.6, "community SD", -3, 6, "assumption", "strauss2018", "distress at which half seek therapy"),
        ("help_seeking_width", 0.35, "community SD", 0.01, 5, "assumption", "", "how sharp that threshold is"),
    ],
    "questionnaires": [
        ("client_leniency", 1.36, _LOGIT, -4, 4, "calibrated", "trust_game", "clients use the top of the alliance scale"),
        ("therapist_leniency", 0.495, _LOGIT, -4, 4, "calibrated", "trust_game", "therapists do so less"),
        ("rating_gain", 1.3, "logit per logit", 0, 5, "assumption", "", "how far ratings spread what is rated"),
        ("client_response_style_sd", 0.73, _LOGIT, 0, 3, "calibrated", "", "spread of clients' response style; response_style_shared_share says how much of it all their questionnaires share"),
        ("therapist_response_style_sd", 0.651, _LOGIT, 0, 3, "assumption", "", "the same for therapists"),
        ("observer_response_style_sd", 0.327, _LOGIT, 0, 3, "assumption", "", "the same for observers"),
        ("response_style_shared_share", 0.293, _SHARE, 0, 1, "calibrated", "", "proportion of the variance of a rater's response style that all their questionnaires about the therapy have in common; the rest belongs to each questionnaire"),
        ("rating_session_sd", 0.132, _LOGIT, 0, 3, "assumption", "critschristoph2011", "session-to-session noise of a rating"),
        ("wai_item_sd", 0.8, "scale points", 0, 4, "assumption", "", "noise of one WAI item"),
        ("empathy_moment_share", 0.278, _SHARE, 0, 1, "assumption", "", "how far a good or bad session colours rated empathy, as it does the alliance"),
        ("empathy_item_sd", 0.772, "scale points", 0, 4, "assumption", "", "noise of one empathy item"),
        ("ecr_item_sd", 1.55, "scale points", 0, 5, "assumption", "openpsychometrics", "noise of one ECR item; alpha .92-.94 with 18 items"),
        ("ecr_response_style_sd", 0.25, "scale points", 0, 3, "assumption", "", "spread of how people respond to attachment questionnaires"),
        ("cats_secure_base", 1.5, _LOGIT, -4, 4, "assumption", "mallinckrodt1995", "secure attachment to the therapist as the typical client rates it, proportion of the scale on the logit"),
        ("cats_avoidant_base", -1.6, _LOGIT, -4, 4, "assumption", "mallinckrodt1995", "the same of avoidant-fearful attachment"),
        ("cats_preoccupied_base", -0.9, _LOGIT, -4, 4, "assumption", "mallinckrodt1995", "the same of preoccupied-merger attachment"),
        ("cats_style_share", 0.352, "factor", 0, 2, "assumption", "", "how far response style enters what clients answer about attachment to the therapist, against the alliance"),
        ("cats_trust_gain", 1.48, "logit per logit", 0, 5, "assumption", "", "how far trust shows in what clients answer about attachment to the therapist; 1 = as it is"),
        ("cats_insecurity_gain", 1.39, _GAIN, 0, 10, "assumption", "", "how far anxiety and avoidance do; as far as in bids"),
        ("cats_closeness_gain", 1.0, "logit per logit", 0, 5, "assumption", "", "how far the closeness that bids ask for does; 1 = as it is"),
        ("cats_longing_gain", 0.2, "logit per logit", 0, 5, "assumption", "", "how far trust makes people long for more contact"),
        ("under_report_gain", 0.5, "SD per unit", 0, 5, "assumption", "", "how much less distress avoidant people report than they have"),
        ("core_item_sd", 0.9, "scale points", 0, 4, "assumption", "", "noise of one CORE-OM item (0-4)"),
        ("core_week_sd", 0.221, _LOGIT, 0, 2, "assumption", "", "a good or bad week, on the CORE-OM"),
        ("core_base", -1.65, _LOGIT, -6, 6, "assumption", "evans2002", "CORE-OM of the average person, proportion of the scale on the logit"),
        ("core_distress_gain", 0.80, "logit per SD", 0.05, 4, "assumption", "evans2002", "how distress shows on the CORE-OM"),
        ("dsq_mean", 4.0, "scale points", 1, 9, "assumption", "", "answer of the average person on the defence scales of the DSQ-40 (1-9)"),
        ("dsq_sd", 1.0, "scale points per SD", 0.05, 4, "assumption", "", "how defences show on them"),
        ("dsq_item_sd", 2.0, "scale points", 0, 8, "assumption", "", "noise of one of their items; reliability about .86 with 24 items and .67 with 8"),
        ("missing_item_prob", 0.0, _SHARE, 0, 1, "assumption", "", "item nonresponse: proportion of single items of questionnaires without an answer; 0 = none"),
        ("missing_form_prob", 0.0, _SHARE, 0, 1, "assumption", "", "unit nonresponse: proportion of whole questionnaires that do not come back; 0 = none"),
        ("client_false_report_prob", 0.08, _SHARE, 0, 1, "assumption", "safran_reviews", "probability that a client reports a rupture in a smooth session"),
        ("therapist_false_report_prob", 0.06, _SHARE, 0, 1, "assumption", "safran_reviews", "the same of therapists"),
        ("observer_false_report_prob", 0.15, _SHARE, 0, 1, "assumption", "safran_reviews", "the same of observers, who count more"),
        ("client_report_depth", 0.3, _SHARE, 0.001, 5, "assumption", "safran_reviews", "depth at which clients report 63 % of ruptures"),
        ("therapist_report_depth", 0.25, _SHARE, 0.001, 5, "assumption", "safran_reviews", "the same of therapists who notice everything"),
        ("observer_report_depth", 0.08, _SHARE, 0.001, 5, "assumption", "safran_reviews", "the same of observers"),
    ],
    "instruments that see activity": [
        ("eeg_noise_sd", 0.1, "activity", 0, 2, "assumption", "", "electrode noise of a session's signal at one site of the simulated EEG"),
    ],
}

PARAMETERS: dict[str, Parameter] = {
    row[0]: Parameter(*row, group=group) for group, rows in _TABLE.items() for row in rows
}

#: Parameters that clients and therapists have each of their own: ``client_x`` and ``therapist_x``.
OF_ROLE = tuple(
    name.removeprefix("client_") for name in PARAMETERS
    if name.startswith("client_") and f"therapist_{name.removeprefix('client_')}" in PARAMETERS
)  # fmt: skip

#: Assumed centres, levels and noise: they say where something stands, not how strongly it works.
LEVELS = frozenset(["client_distress_typical", "therapist_distress_typical", "trust_typical", "capability_typical", "client_arousal_base", "therapist_arousal_base", "client_arousal_stress_sd", "therapist_arousal_stress_sd", "contagion_base", "client_expression_offset", "therapist_expression_offset", "disclosure_base", "client_warmth_base", "therapist_warmth_base", "mirror_noise_sd", "estimate_noise_sd", "response_base", "collaboration_base", "perception_pull_base", "compatibility_sd", "labelling_base", "repair_base", "trust_start", "agreement_base", "agreement_start", "engagement_base", "dropout_base", "waiting_loss_base", "quitting_base", "between_loss_base", "client_anxiety_mean", "client_anxiety_sd", "client_avoidance_mean", "client_avoidance_sd", "therapist_anxiety_sd", "therapist_avoidance_sd", "life_event_sd", "client_skill_mean", "client_skill_sd", "therapist_skill_mean", "therapist_skill_sd", "client_warmth_trait_sd", "therapist_warmth_trait_sd", "client_treatment_gain_sd", "therapist_treatment_gain_sd", "regulation_start", "regulation_start_sd", "client_response_style_sd", "therapist_response_style_sd", "observer_response_style_sd", "rating_session_sd", "wai_item_sd", "empathy_item_sd", "ecr_item_sd", "ecr_response_style_sd", "cats_secure_base", "cats_avoidant_base", "cats_preoccupied_base", "core_item_sd", "core_week_sd", "core_base", "dsq_mean", "dsq_sd", "dsq_item_sd", "eeg_noise_sd", "depth_base", "depth_sd", "hazard_base", "quality_luck_sd", "salience_base", "word_noise_sd"])  # fmt: skip
#: Assumed gains and costs that say what attachment does.
OF_ATTACHMENT = frozenset(["arousal_anxiety_gain", "contagion_anxiety_gain", "recovery_anxiety_cost", "bid_anxiety_gain", "bid_avoidance_cost", "expression_avoidance_cost", "expression_anxiety_gain", "disclosure_avoidance_cost", "disclosure_fearful_cost", "avoidance_warmth_cost", "mirror_avoidance_cost", "mentalising_avoidance_cost", "response_reaching_cost", "expectation_avoidance_cost", "expectation_anxiety_cost", "closeness_cost", "repair_avoidance_cost", "dropout_avoidance_gain", "anxiety_avoidance_r", "anxiety_distress_gain", "avoidance_distress_gain", "immature_anxiety_path", "immature_avoidance_path", "neurotic_anxiety_path", "distress_anxiety_path", "distress_avoidance_path", "cats_closeness_gain", "expression_flattening", "mirror_noise_avoidance_gain", "depth_anxiety_gain", "under_report_gain"])  # fmt: skip


def checked(name: str, value: Any, parameters: Mapping[str, Parameter] = PARAMETERS) -> float:
    """``value`` as a float if the parameter exists and may have it; otherwise ``ParameterError`` with a hint."""
    if name not in parameters:
        raise ParameterError(f"unknown parameter '{name}'{nearest(name, parameters)}")
    parameter = parameters[name]
    if isinstance(value, bool) or not isinstance(value, (int, float, np.floating, np.integer)):
        raise ParameterError(f"parameter '{name}' must be a number, not {value!r}")
    if not math.isfinite(value) or not parameter.low <= value <= parameter.high:
        raise ParameterError(f"parameter '{name}' is {value}; it must lie between {parameter.low:g} and {parameter.high:g} ({parameter.unit})")
    return float(value)


class Parameters(Mapping[str, float]):
    """A frozen set of all the model's parameters: ``p.trust_rate``, ``p["trust_rate"]``, ``p.but(trust_rate=0.2)``.

    ``extra`` declares parameters of mechanisms that are not part of the shipped model.

    >>> p = sim.Parameters({"trust_rate": 0.2})
    >>> p.trust_rate, p.but(trust_rate=0.3).changes()
    (0.2, {'trust_rate': 0.3})
    """

    __slots__ = ("_parameters", "_values")
    _values: dict[str, float]
    _parameters: dict[str, Parameter]

    def __init__(self, changes: Mapping[str, float] | None = None, extra: Mapping[str, Parameter] | None = None) -> None:
        parameters = {**PARAMETERS, **(extra or {})}
        values = {name: n.default for name, n in parameters.items()}
        for name, value in (changes or {}).items():
            values[name] = checked(name, value, parameters)
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_parameters", parameters)

    def but(self, **changes: float) -> Parameters:
        """A copy with some parameters changed. Raises ``ParameterError`` for unknown names and values out of range."""
        return Parameters({**self.changes(), **changes}, self._parameters)

    def changes(self) -> dict[str, float]:
        """The parameters that differ from their defaults."""
        return {name: v for name, v in self._values.items() if v != self._parameters[name].default}

    def of(self, role: str, name: str) -> float:
        """The parameter as it holds for a role: ``client_x`` where it exists, else ``x``."""
        return self._values[f"{role}_{name}"] if f"{role}_{name}" in self._values else self._values[name]

    def own(self, role: str) -> dict[str, float]:
        """What differs between clients and therapists as it holds for this role: ``own_skill_sd`` is ``client_skill_sd``."""
        return {f"own_{name}": self._values[f"{role}_{name}"] for name in OF_ROLE}

    def __getattr__(self, name: str) -> float:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no parameter '{name}'{nearest(name, self._values)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Parameters are frozen; use p.but(name=value)")

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        changed = ", ".join(f"{k}={v:g}" for k, v in self.changes().items())
        return f"Parameters({changed})"

    def __reduce__(self) -> Any:
        extra = {k: v for k, v in self._parameters.items() if k not in PARAMETERS}
        return (Parameters, (self.changes(), extra))

    def array(self, strengths: Mapping[str, float] | None = None) -> np.ndarray:
        """All parameters and then the strengths of regions, in their order: the form in which compiled code takes them."""
        return np.array([*self._values.values(), *(strengths if strengths is not None else intact()).values()], np.float64)
