"""Every equation of the model, once.

Each is a plain, branch-free function: the same line serves a float in a test, a column of people (NumPy) and a
compiled loop (numba). The first docstring line says in words what the equation returns; then the formula, the
limit or closed form that a test uses, the source, and the status: *empirical*, *derived* or *assumption*.

Arguments are named like the quantities and parameters they take: ``sim/theory/parameters.py`` declares every number
and ``sim/people/state.py`` every quantity (with unit and range), so wiring goes by name. Unless said otherwise a
quantity is an activity or share in 0..1. ``anxiety`` and ``avoidance`` here are the ECR scores brought to 0..1,
``(score - 1) / 6``. ``partner_x`` is the other person's ``x``. A region's name (``insula``) is how much of it is
intact: 1 normally, 0 after a lesion. ``x_luck`` is a standard normal draw.

Sources are keys of ``sources.yaml``; [K..] and [A..] are claims of ``claims.yaml``.

Symbols of the formulas: S logistic, S^-1 logit, (..)+ positive part, _typ typical value; a anxiety and v avoidance with
the partner (a0, v0 the typical ones; a_g, v_g in general, a_h, v_h in what is done out of habit), L arousal, z its target,
x expression, y disclosure, h warmth, m mirror activity, i felt signal, P mentalising, T self kept apart from other, e estimate,
q attunement, u felt understanding, r response, X expectation, Z first impression, p perceived response, D surprise,
U inconsistency, l labelling, G learning gate, W trained regulation, M shared meaning, O what is open of ruptures. Region letters
(M * .., T * .., V * ..) are the region named in the arguments. In a formula z alone, with a spread before it, is a standard
normal draw.
"""

from __future__ import annotations

import numpy as np

from sim.elementary import exp, inlined, log, maximum, minimum, select

_EDGE = 1e-6  # activities are kept this far from 0 and 1 before a logit


@inlined
def logistic(x):
    """Share in 0..1 of a value on the logit scale: 1 / (1 + exp(-x)). Derived."""
    return 1.0 / (1.0 + exp(-x))


@inlined
def logit(share):
    """Value on the logit scale of a proportion: log(s / (1 - s)), finite at 0 and 1. Derived."""
    s = minimum(maximum(share, _EDGE), 1.0 - _EDGE)
    return log(s / (1.0 - s))


@inlined
def lifted(share, by):
    """A proportion after a move of ``by`` on the logit scale: S(S^-1(s) + by) = s / (s + (1 - s)*exp(-by)), finite at 0 and 1.

    Limit: the proportion itself for by = 0. Derived.
    """
    s = minimum(maximum(share, _EDGE), 1.0 - _EDGE)
    return s / (s + (1.0 - s) * exp(-by))


# ----------------------------------------------------------------------------- one exchange: arousal and signals


@inlined
def arousal_target(limbic, distress, anxiety, general_anxiety, perceived, mirrored, stress_luck,
                   arousal_base, arousal_distress_gain, distress_typical, arousal_anxiety_gain, anxiety_typical,
                   rejection_gain, perceived_typical, arousal_stress_sd, contagion_share, contagion_base,
                   contagion_anxiety_gain):
    """How aroused this moment makes a person: own threat, and resonance with what the other shows.

    limbic * [(1 - k) * S(b + gD*(distress - typ) + gA*(a_g - a0) + gR*a*(p_typ - p) + sd*z) + k*(c0 + cA*(a_g - a0))*m],
    at most 1. Limit: without the limbic system 0; k = 0 removes resonance.
    Under threat, more so in anxious people (preoccupied or fearful), and when the last response fell short [K10, A2, A3];
    the limbic system carries it and answers what is mirrored [K7, K9, K16]; resonance overwhelms anxious therapists
    (cittern2017) [K14, A9]. Status: assumption.
    """
    threat = logistic(arousal_base + arousal_distress_gain * (distress - distress_typical)
                      + arousal_anxiety_gain * (general_anxiety - anxiety_typical)
                      + rejection_gain * anxiety * (perceived_typical - perceived) + arousal_stress_sd * stress_luck)
    resonance = (contagion_base + contagion_anxiety_gain * (general_anxiety - anxiety_typical)) * mirrored
    mixed = (1.0 - contagion_share) * threat + contagion_share * maximum(resonance, 0.0)
    return limbic * minimum(mixed, 1.0)


@inlined
def control(regulation, ofc):
    """Regulation that is at hand in social affect: what was trained, where the orbitofrontal cortex applies it.

    W * ofc. Limit: 0 without the orbitofrontal cortex [K16, K24]: nothing that is mirrored calms past it [K17].
    Status: assumption.
    """
    return regulation * ofc


@inlined
def arousal(arousal, arousal_target, control, general_anxiety,
            arousal_rise_rate, arousal_fall_rate, regulation_gain, recovery_anxiety_cost, anxiety_typical):
    """A person's arousal after moving toward its target: slower up and faster down when regulation is trained.

    L + up*(1 - c*W)*(z - L)+ - down*(1 + c*W)*exp(-k*(a_g - a0))*(L - z)+, W = control.
    Limit: stays when z = L. Secure people return to calm sooner [K5]; prefrontal cortex and limbic system regulate
    affect together [K16]. Status: assumption.
    """
    gap = arousal_target - arousal
    rise = arousal_rise_rate * (1.0 - regulation_gain * control) * maximum(gap, 0.0)
    slowed = exp(-recovery_anxiety_cost * (general_anxiety - anxiety_typical))
    fall_rate = arousal_fall_rate * (1.0 + regulation_gain * control) * slowed
    return arousal + rise + minimum(fall_rate, 1.0) * minimum(gap, 0.0)


@inlined
def habitual_anxiety(anxiety, general_anxiety, habit_share):
    """Anxiety in what a person does out of habit: h*a_g + (1 - h)*a, general anxiety and anxiety with this partner.

    Limit: the person's in general for h = 1, this bond's for h = 0. How people seek support, show and say what they feel is
    learned with many others, and learned anew with each [A6, K13, K22]. Status: assumption.
    """
    return habit_share * general_anxiety + (1.0 - habit_share) * anxiety


@inlined
def habitual_avoidance(avoidance, general_avoidance, habit_share):
    """Avoidance in what a person does out of habit: h*v_g + (1 - h)*v, general avoidance and avoidance of this partner.

    Limit: the person's in general for h = 1, this bond's for h = 0 [A6, K13, K22]. Status: assumption.
    """
    return habit_share * general_avoidance + (1.0 - habit_share) * avoidance


@inlined
def bid(arousal, habitual_anxiety, habitual_avoidance, arousal_typical, anxiety_typical, avoidance_typical,
        bid_arousal_gain, bid_anxiety_gain, bid_avoidance_cost):
    """How strongly a person seeks support at this moment (proximity seeking).

    S(gL*(L - L_typ) + gA*(a_h - a0) - gV*(v_h - v0)). Limit: .5 for the typical person at typical arousal.
    Threat raises bids [K10]; anxiety magnifies them [A2], avoidance mutes them [A4]. Status: assumption.
    """
    return logistic(bid_arousal_gain * (arousal - arousal_typical) + bid_anxiety_gain * (habitual_anxiety - anxiety_typical)
                    - bid_avoidance_cost * (habitual_avoidance - avoidance_typical))


@inlined
def expression(arousal, habitual_anxiety, habitual_avoidance, trust, arousal_typical, expression_gain, expression_flattening,
               expression_offset, expression_avoidance_cost, expression_anxiety_gain, expression_trust_gain, anxiety_typical,
               avoidance_typical):
    """How much of their arousal a person shows without words.

    S(S^-1(L_typ) + g*(1 - f*(v_h - v0))+*(S^-1(L) - S^-1(L_typ)) + o - dV*(v_h - v0) + dA*(a_h - a0) + dB*(trust - .5)).
    Limit: equals L for the typical person at trust .5 (g = 1, o = 0); constant for g = 0. Deactivation hides, and flattens: the
    face follows what is felt less; hyperactivation magnifies [A2, A4].
    Both people show something all the time [K2]; the empathic chain begins here [K9]. Status: assumption.
    """
    follows = expression_gain * maximum(1.0 - expression_flattening * (habitual_avoidance - avoidance_typical), 0.0)
    return logistic(logit(arousal_typical) + follows * (logit(arousal) - logit(arousal_typical)) + expression_offset
                    - expression_avoidance_cost * (habitual_avoidance - avoidance_typical)
                    + expression_anxiety_gain * (habitual_anxiety - anxiety_typical)
                    + expression_trust_gain * (trust - 0.5))


@inlined
def disclosure(expression, habitual_anxiety, habitual_avoidance, trust, disclosure_base, disclosure_trust_gain,
               disclosure_avoidance_cost, disclosure_fearful_cost, disclosure_expression_gain, expression_typical,
               anxiety_typical, avoidance_typical):
    """How much a person says of what they feel (verbal, not the same as what they show).

    S(y0 + yB*(trust - .5) - yV*(v_h - v0) - yAV*(a_h - a0)+*(v_h - v0)+ + yX*(x - x_typ)).
    Avoidance holds back [A4]; both high at once most [A3]; safety lets people speak [K20], so attachment and the
    alliance both act on what can be understood [K23]. Status: assumption.
    """
    both_high = maximum(habitual_anxiety - anxiety_typical, 0.0) * maximum(habitual_avoidance - avoidance_typical, 0.0)
    return logistic(disclosure_base + disclosure_trust_gain * (trust - 0.5)
                    - disclosure_avoidance_cost * (habitual_avoidance - avoidance_typical)
                    - disclosure_fearful_cost * both_high
                    + disclosure_expression_gain * (expression - expression_typical))


@inlined
def warmth(general_avoidance, fatigue, warmth_trait, warmth_base, avoidance_warmth_cost, fatigue_warmth_cost):
    """Genuine, non-judging warmth a person conveys.

    S(h0 + trait - c*v_g - f*fatigue). Limit: S(h0) for a wholly unavoidant person.
    Warmth is no technique [K6]; one's own avoidance costs it [K14, A5, A9]. Status: assumption.
    """
    return logistic(warmth_base + warmth_trait - avoidance_warmth_cost * general_avoidance - fatigue_warmth_cost * fatigue)


# ------------------------------------------------------------------------- one exchange: the empathic chain (K9)


@inlined
def mirrored(mirror, partner_expression, general_avoidance, mirror_luck, mirror_gain, mirror_avoidance_cost, mirror_noise_sd,
             mirror_noise_avoidance_gain, avoidance_typical):
    """Mirror activity: the other's expression mapped onto one's own.

    M * S(S^-1(x) + g - w*(v_g - v0) + sd*exp(k*(v_g - v0))*z). Limit: equals the expression without gain, cost and noise.
    First link of the chain, in both people [K2]; changes nothing by itself [K8, K9] and has no line of its own to
    regulation [K17]; the observer's own avoidance damps it, and makes it less clear [K14]. Status: assumption (the role is
    disputed).
    """
    avoidant = general_avoidance - avoidance_typical
    noise = mirror_noise_sd * exp(mirror_noise_avoidance_gain * avoidant) * mirror_luck
    return mirror * lifted(partner_expression, mirror_gain - mirror_avoidance_cost * avoidant + noise)


@inlined
def felt(insula, mirrored, arousal, insula_half):
    """The felt signal: mirrored expression that one's own body answers to.

    I * m*(1 + h)*L/(L + h). Limit: 0 without the insula, without mirror activity or without own arousal.
    The anterior insula is necessary for feeling another's pain (gu2012) [K7, K8]. Noticing, the first step of a
    response [K3], and the chain's link from limbic system to insula [K9]. Status: assumption.
    """
    return minimum(insula * mirrored * (1.0 + insula_half) * arousal / (arousal + insula_half), 1.0)


@inlined
def mentalising(dmpfc, skill, arousal, general_avoidance, fatigue, mentalising_threshold, mentalising_width,
                mentalising_avoidance_cost, avoidance_typical):
    """Capacity to work out what the other feels and why; it breaks down in high arousal.

    M * skill * exp(-(((L - t)+)/w)^2) * exp(-k*(v_g - v0)) * (1 - fatigue), in 0..1. Limit: the skill itself when
    calm, rested and typical. Security keeps it under load [K5, A5]; avoidance costs it [K14, A9]. The dorsal medial
    part of the middle prefrontal cortex [K9, K24] makes sense of what was noticed [K3]. Status: assumption.
    """
    overload = maximum(arousal - mentalising_threshold, 0.0) / mentalising_width
    capacity = skill * exp(-overload * overload - mentalising_avoidance_cost * (general_avoidance - avoidance_typical))
    return dmpfc * minimum(capacity * (1.0 - fatigue), 1.0)


@inlined
def self_other(tpj, arousal, self_other_flood_cost, mentalising_threshold):
    """How well a person keeps their own arousal apart from the other's.

    T * (1 - k*(L - t)+). Limit: 1 when intact and calm; 0 without the temporoparietal junction [K7].
    Status: assumption.
    """
    return tpj * maximum(1.0 - self_other_flood_cost * maximum(arousal - mentalising_threshold, 0.0), 0.0)


@inlined
def said(arousal, disclosure, word_luck, disclosure_typical, concealment_gain, word_noise_sd):
    """The arousal that a person's words tell of: S(S^-1(L) + c*(y - y_typ) + sd*z).

    Limit: the arousal itself at typical disclosure, without noise. Who says little says it smaller than it is [A4]. Status:
    assumption.
    """
    return lifted(arousal, concealment_gain * (disclosure - disclosure_typical) + word_noise_sd * word_luck)


@inlined
def felt_weight(felt, felt_precision, felt_half):
    """How far a person relies on what they feel with the other: k*i^2/(i^2 + h^2); what they assume has the weight 1.

    Limit: 0 where nothing is felt; k for a strong signal. The affective route of empathy [K7, K8]. Status: assumption.
    """
    return felt_precision * felt * felt / (felt * felt + felt_half * felt_half)


@inlined
def words_weight(partner_disclosure, mentalising, self_other, words_precision):
    """How far a person relies on what the other says: k*y*P*T; what they assume has the weight 1.

    Limit: 0 where nothing is said, without mentalising, or where self and other are not kept apart. The cognitive route of
    empathy: words have to be understood as another's [K1, K7, K24]. Status: assumption.
    """
    return words_precision * partner_disclosure * mentalising * self_other


@inlined
def estimate(felt, partner_said, felt_weight, words_weight, mentalising, self_other, ofc, arousal, partner_habitual_anxiety,
             partner_habitual_avoidance, estimate_luck, estimate_typical, felt_typical, estimate_correction,
             expression_avoidance_cost, expression_anxiety_gain, anxiety_typical, avoidance_typical, estimate_noise_sd,
             salience_base, salience_gain):
    """What a person takes the other's arousal to be: what they assume, feel and hear, each weighed by how far it is relied on.

    S(e' + b + g*(e' - S^-1(e_typ))+), e' = (z0 + wf*zf + wy*S^-1(said))/W + sd*z/sqrt(W), W = 1 + wf + wy;
    z0 = S^-1(T*e_typ + (1 - T)*L): the typical person, or oneself where the two are not kept apart;
    zf = S^-1(i) - S^-1(i_typ) + S^-1(e_typ) + P*ofc*c*(dV*(v_hp - v0) - dA*(a_hp - a0)): the felt signal, corrected for what this
    partner out of habit hides or magnifies; the picture of this person that it needs for that is kept in the orbitofrontal cortex
    [K16].
    Limit: the typical person, and noise, where nothing is felt or said. Two routes, feeling with the other (insula) and
    understanding their words (dorsal medial cortex, temporoparietal junction): each alone leaves the other [K1, K3, K7, K9].
    Negative affect stands out (atzilslonim2019). Status: assumption.
    """
    hidden = (expression_avoidance_cost * (partner_habitual_avoidance - avoidance_typical)
              - expression_anxiety_gain * (partner_habitual_anxiety - anxiety_typical))
    typical = logit(estimate_typical)
    assumed = logit(self_other * estimate_typical + (1.0 - self_other) * arousal)
    by_feeling = logit(felt) - logit(felt_typical) + typical + mentalising * ofc * estimate_correction * hidden
    weights = 1.0 + felt_weight + words_weight
    mixed = ((assumed + felt_weight * by_feeling + words_weight * logit(partner_said)) / weights
             + estimate_noise_sd * estimate_luck / np.sqrt(weights))
    return logistic(mixed + salience_base + salience_gain * maximum(mixed - typical, 0.0))


@inlined
def attunement(estimate, partner_arousal, attunement_width):
    """How well that estimate fits the other's real arousal at this moment.

    exp(-((e - L)/w)^2). Limit: 1 for a perfect estimate [K1, K9]. Attunement of the moment [K21]. Status: assumption.
    """
    miss = (estimate - partner_arousal) / attunement_width
    return exp(-miss * miss)


@inlined
def separation(self_other, felt):
    """Work of keeping apart what is felt for the other and what is one's own: T * i (read-out of the temporoparietal site).

    Limit: 0 when nothing is felt [K19]. Status: assumption.
    """
    return self_other * felt


@inlined
def felt_understanding(attunement, felt, vmpfc, felt_enough):
    """The other's state felt *and* understood, the end of the empathic chain: vmpfc * q * min(i/i0, 1).

    Limit: the attunement itself once enough is felt; 0 without a felt signal or without the ventral medial cortex [K9, K24].
    What was noticed and understood but does not get here never reaches the response [K3]. Status: assumption.
    """
    return vmpfc * attunement * minimum(felt / felt_enough, 1.0)


@inlined
def response(attunement, felt_understanding, warmth, habitual_avoidance, trust, partner_bid, timing_luck, response_base,
             response_attunement_gain, attunement_typical, response_felt_floor, felt_understanding_typical,
             response_warmth_gain, warmth_typical, response_trust_gain, response_reaching_cost, bid_enough,
             avoidance_typical, timing_lapse_cost,
             timing_lapse_threshold, timing_bid_gain):
    """How well a therapist responds: perceived, made sense of, warm, and in time.

    S(r0 + gq*[f*(q - q_typ) + (1 - f)*(u - u_typ)] + gh*(h - h_typ) + gT*(trust - .5) - gW*(v_h - v0)+*(b0 - bid)+
    - cost*(z - threshold - gB*(bid - .5))+).
    Understanding counts in full only when felt; warmth weighs beside it [K1, K3, K6, K9]; a lapse in timing lowers it,
    less often when the client bids strongly [K10]; trust improves it, so the alliance acts on empathy [K23]. An avoidant
    therapist waits for bids, and so gives little to clients who make none [A7, A9, K14]. Status: assumption.
    """
    understanding = (response_felt_floor * (attunement - attunement_typical)
                     + (1.0 - response_felt_floor) * (felt_understanding - felt_understanding_typical))
    lapse = maximum(timing_luck - timing_lapse_threshold - timing_bid_gain * (partner_bid - 0.5), 0.0)
    withdrawal = maximum(habitual_avoidance - avoidance_typical, 0.0) * maximum(bid_enough - partner_bid, 0.0)
    return logistic(response_base + response_attunement_gain * understanding
                    + response_warmth_gain * (warmth - warmth_typical) + response_trust_gain * (trust - 0.5)
                    - response_reaching_cost * withdrawal
                    - timing_lapse_cost * lapse)


@inlined
def response_given(response, timing_luck, forced_response_share, forced_response_low, forced_response_high):
    """The response that reaches the client, where an experiment may put a given one in place of the therapist's.

    (1 - s)*r + s*(low or high, by a coin). Limit: the response itself for s = 0; steady when low = high, erratic
    otherwise. Derived (an experimenter's clamp, [K10, K12]).
    """
    coin = select(timing_luck > 0.0, 1.0, 0.0)
    forced = forced_response_low + (forced_response_high - forced_response_low) * coin
    return (1.0 - forced_response_share) * response + forced_response_share * forced


@inlined
def collaboration(disclosure, trust, engagement, collaboration_base, collaboration_disclosure_gain,
                  disclosure_typical, collaboration_trust_gain, collaboration_engagement_gain, engagement_typical):
    """What the client gives back: openness and work, as the therapist meets it.

    S(o0 + gY*(y - y_typ) + gT*(trust - .5) + gE*(engagement - e_typ)). Two-way responsiveness [K2]; trust and
    engagement feed collaboration [K18]; open, that is secure, people work along best [A5]. Status: assumption.
    """
    return logistic(collaboration_base + collaboration_disclosure_gain * (disclosure - disclosure_typical)
                    + collaboration_trust_gain * (trust - 0.5)
                    + collaboration_engagement_gain * (engagement - engagement_typical))


# ----------------------------------------------------------------------- one exchange: perception and what follows


@inlined
def expectation(anxiety, avoidance, impression, perceived_typical, expectation_avoidance_cost, expectation_anxiety_cost,
                expectation_impression_gain, anxiety_typical, avoidance_typical):
    """The response a person expects from this partner, given their attachment to them.

    S(S^-1(p_typ) - xV*(v - v0) - xA*(a - a0) + xZ*Z), Z what is left of the first impression. Limit: the typical person expects
    the typical response, so nothing drifts [K12, K13]. Both dimensions, the view of the other and of oneself, enter [A1]: the
    lens of one's style [A6]. Status: assumption.
    """
    return logistic(logit(perceived_typical) - expectation_avoidance_cost * (avoidance - avoidance_typical)
                    - expectation_anxiety_cost * (anxiety - anxiety_typical) + expectation_impression_gain * impression)


@inlined
def perceived(partner_response, expectation, anxiety, avoidance, arousal, mentalising, estimate, partner_warmth, compatibility,
              perception_pull_base, perception_pull_gain, perception_mentalising_gain, mentalising_typical,
              threat_gain, arousal_typical, closeness_cost, warmth_typical, tension_reading_gain, estimate_typical,
              avoidance_typical, partner_adaptation):
    """The response as the receiver perceives it: pulled toward what they expect, more so when insecure.

    S((1 - om)*S^-1(r) + om*S^-1(X) + compatibility - (1 - A)*(gL*a*(L - L_typ) + gC*(v - v0)*(h - h_typ)) - gE*(e - e_typ)),
    om = o0 + o1*(a + v)/2 - oM*(P - P_typ), in 0..1; A: how far the partner fits responses to attachment (0 untrained).
    Limit: the response itself for om = 0, typical arousal and estimate, no compatibility. [A6, K13]; a threatened anxious
    person hears less, an avoidant one is uneasy with much warmth, and the other's tension is sensed [K2]; so attachment
    acts on the empathy that arrives [K23], a therapist's as well [K14]. What is felt as understanding begins the way to
    security and alliance [K4]. Status: assumption.
    """
    pull = (perception_pull_base + perception_pull_gain * 0.5 * (anxiety + avoidance)
            - perception_mentalising_gain * (mentalising - mentalising_typical))
    pull = minimum(maximum(pull, 0.0), 1.0)
    return logistic((1.0 - pull) * logit(partner_response) + pull * logit(expectation) + compatibility
                    - (1.0 - partner_adaptation) * threat_gain * anxiety * (arousal - arousal_typical)
                    - (1.0 - partner_adaptation) * closeness_cost * (avoidance - avoidance_typical)
                    * (partner_warmth - warmth_typical)
                    - tension_reading_gain * (estimate - estimate_typical))


@inlined
def surprise(perceived, expectation):
    """How much better (or worse) the response was than expected.

    p - X. Limit: 0 when the response is the expected one. Derived [K12].
    """
    return perceived - expectation


@inlined
def inconsistency(inconsistency, perceived, perceived_mean, inconsistency_rate):
    """Running average of how erratic the partner has been, whatever the level.

    U + rate*(|p - mean| - U). Limit: 0 for a perfectly steady partner. Our reading, after Ainsworth
    (ainsworth1978): erratic care, not low care, teaches that the self cannot count on anyone [K12].
    Status: assumption.
    """
    return inconsistency + inconsistency_rate * (np.abs(perceived - perceived_mean) - inconsistency)


@inlined
def perceived_mean(perceived_mean, perceived, perceived_mean_rate):
    """Running average of the perceived response: mean + rate*(p - mean). Derived."""
    return perceived_mean + perceived_mean_rate * (perceived - perceived_mean)


@inlined
def conflict(acc, surprise):
    """The signal that something went other than expected: C * |D|. Limit: 0 without the cingulate [K7, K24]. Assumption."""
    return acc * np.abs(surprise)


@inlined
def calmed_arousal(arousal, perceived, co_regulation_rate):
    """Arousal after the partner's response: L * exp(-c*p).

    Limit: unchanged for c = 0. A response that arrives lowers arousal, on both sides [K10, K11]. Assumption.
    """
    return arousal * exp(-co_regulation_rate * perceived)


@inlined
def labelling(vlpfc, disclosure, perceived, labelling_base, labelling_safety_gain):
    """Putting feelings into words: V * y * S(l0 + l1*p).

    Limit: nothing said, nothing labelled; 0 without the ventrolateral cortex [K24]. More when it feels safe
    (lieberman2007) [K20]. Status: assumption.
    """
    return vlpfc * disclosure * logistic(labelling_base + labelling_safety_gain * perceived)


@inlined
def labelled_arousal(arousal, labelling, control, labelling_calm_rate, labelling_untrained_share):
    """Arousal after a feeling was put into words: L * exp(-c*l*(u + W)), W = control.

    Limit: unchanged when nothing is labelled. At once, and more with training [K20, K16]. Status: assumption
    (direction: lieberman2007).
    """
    return arousal * exp(-labelling_calm_rate * labelling * (labelling_untrained_share + control))


@inlined
def learning_gate(arousal, gate_centre, gate_width):
    """How open a person is to learning now: most at moderate arousal.

    exp(-((L - c)/w)^2). Limit: 1 at the centre. Window of tolerance and reconsolidation (gershman2017).
    Status: assumption.
    """
    distance = (arousal - gate_centre) / gate_width
    return exp(-distance * distance)


@inlined
def avoidance_learned(avoidance, learning_gate, surprise, inconsistency, ofc, trust, plasticity, other_model_rate,
                      safety_value_gain, inconsistency_typical, other_model_doubt_gain):
    """Avoidance of this partner after one exchange: good surprise lowers it, bad surprise raises it.

    v - plasticity*eta*G*(D + s*ofc*(trust - .5)*(D)+)*4v(1 - v)/(1 + k*(U - U_typ)+). Limit: unchanged without plasticity
    or surprise; stays in 0..1. The expectation of the *other* [K12, A1]; the orbitofrontal cortex carries the learned value
    of safety, by which a good response counts for more where there is trust, and for less where there is none [K16, K24];
    a single response of an erratic partner says little about their level. Attachment to this person, a state of its own
    [K22], kept without words [K21], that responses make secure [K4, K15]: empathy, and trust, act on attachment [K23].
    Status: assumption.
    """
    valued = surprise + safety_value_gain * ofc * (trust - 0.5) * maximum(surprise, 0.0)
    doubt = 1.0 + other_model_doubt_gain * maximum(inconsistency - inconsistency_typical, 0.0)
    step = plasticity * other_model_rate * learning_gate * valued / doubt
    return minimum(maximum(avoidance - step * 4.0 * avoidance * (1.0 - avoidance), 0.0), 1.0)


@inlined
def anxiety_learned(anxiety, learning_gate, surprise, inconsistency, vmpfc, plasticity, self_model_rate,
                    self_model_reliability_gain, self_model_surprise_gain, inconsistency_typical):
    """Anxiety with this partner after one exchange: steady good care lowers it, erratic care raises it.

    a - plasticity*eta*G*vmpfc*(cU*(U_typ - U) + cD*D)*4a(1 - a). Limit: unchanged without plasticity; stays in
    0..1. The expectation of the *self* [K11, K12, A1], after ainsworth1978, weighed by the ventral medial cortex [K24].
    Attachment to this person, as above [K4, K15, K21, K22, K23]. Status: assumption.
    """
    worth = self_model_reliability_gain * (inconsistency_typical - inconsistency) + self_model_surprise_gain * surprise
    moved = anxiety - plasticity * self_model_rate * learning_gate * vmpfc * worth * 4.0 * anxiety * (1.0 - anxiety)
    return minimum(maximum(moved, 0.0), 1.0)


@inlined
def regulation_learned(regulation, learning_gate, labelling, vmpfc, perceived, plasticity, regulation_rate,
                       regulation_perceived_share, regulation_keep):
    """Trained prefrontal regulation after one exchange: built by attuned, labelled moments, lost slowly.

    W + plasticity*eta*[V^2*(1 - W) - (1 - mu)*W] with V^2 = G*(l + s*vmpfc*p)*p. Closed form: for constant V,
    W* = V^2/(1 - mu + V^2). Hebbian weight with persistence (treur2022) [K16]. Without the prefrontal parts that label
    and feel understood nothing is learned, so mirror activity cannot reach regulation past them [K17, K24]. The
    regulation of emotion as a part of the relationship [K21]. Status: assumption.
    """
    drive = learning_gate * (labelling + regulation_perceived_share * vmpfc * perceived) * perceived
    return regulation + plasticity * regulation_rate * (drive * (1.0 - regulation) - (1.0 - regulation_keep) * regulation)


@inlined
def shared_meaning(shared_meaning, partner_attunement, disclosure, arousal, shared_meaning_rate):
    """Meaning made together: grows when something is said, understood, and there is calm to explore it.

    M + rate*(q*y*(1 - L) - M). Limit: tends to q*y*(1 - L). Secondary intersubjectivity [K11]; low arousal frees
    exploration [K10]. Status: assumption.
    """
    return shared_meaning + shared_meaning_rate * (partner_attunement * disclosure * (1.0 - arousal) - shared_meaning)


# ----------------------------------------------------------------------------- one exchange: rupture and repair


@inlined
def tension(tension, surprise, tension_keep):
    """Disappointment that has built up: keep*T + (-D)+. Limit: fades by ``keep`` when nothing disappoints. Assumption."""
    return tension_keep * tension + maximum(-surprise, 0.0)


@inlined
def rupture_hazard(tension, perceived, perceived_mean, bid, task, hazard_base, hazard_tension_gain, hazard_missed_gain,
                   hazard_task_gain, agreement_base):
    """Probability that the bond ruptures in this exchange.

    S(b + gT*T + gM*bid*(mean - p)+ + gK*(typ - task)+), T tension, mean: what this person is used to here, typ = S(agreement
    base). Limit: S(b) where nothing disappoints, bids are met and the task is agreed on: no therapy is without ruptures [A3, A7].
    A fall against what one is used to is an event; one against what one expects would be a trait. Status: assumption.
    """
    missed = bid * maximum(perceived_mean - perceived, 0.0)
    return logistic(hazard_base + hazard_tension_gain * tension + hazard_missed_gain * missed
                    + hazard_task_gain * maximum(logistic(agreement_base) - task, 0.0))


@inlined
def rupture_depth(depth_luck, tension, anxiety, depth_base, depth_sd, depth_tension_gain, depth_anxiety_gain, anxiety_typical):
    """How deep a rupture goes that happens now, 0..1: S(b + sd*z + gT*T + gA*(a - a0)), T tension.

    Limit: S(b) in the middle. Deeper after much disappointment, and in anxious people [A2, A3]. Status: assumption.
    """
    return logistic(depth_base + depth_sd * depth_luck + depth_tension_gain * tension
                    + depth_anxiety_gain * (anxiety - anxiety_typical))


@inlined
def confrontation_probability(anxiety, avoidance, confrontation_gain, anxiety_typical, avoidance_typical):
    """Probability that a rupture is a confrontation rather than a withdrawal: S(k*((a - a0) - (v - v0))).

    Limit: .5 for the typical person. Avoidant people withdraw, anxious ones protest; fearful ones rarely
    challenge openly [A3]. Status: assumption.
    """
    return logistic(confrontation_gain * ((anxiety - anxiety_typical) - (avoidance - avoidance_typical)))


@inlined
def noticed(acc, conflict, notice_floor, notice_conflict_gain):
    """How surely a person notices that something is wrong between them: their conflict signal, on top of a watchful ground.

    min(n*acc + g*C, 1). Limit: 0 without the cingulate, which also carries C [K7, K24]. Status: assumption.
    """
    return minimum(notice_floor * acc + notice_conflict_gain * conflict, 1.0)


@inlined
def repair_probability(noticed, partner_noticed, mentalising, attunement, habitual_avoidance, partner_disclosure, confronted,
                       repair_base, repair_understanding_gain, repair_avoidance_cost, repair_confrontation_gain,
                       repair_client_share, disclosure_typical, repair_disclosure_gain, repair_effort, avoidance_typical,
                       repair_skill):
    """Probability that the therapist notices and repairs a rupture in this exchange.

    effort*N*(1 - s + s*N_client)*S(b + gP*P*q - gV*(v_h - v0) + gK*confronted + gY*(y - y_typ) + skill), N = noticed.
    Limit: 0 for a therapist who notices nothing. What the client contributes matters (millerbottome2018): saying
    it, and noticing it. The therapist's own avoidance hinders [K14, A7, A9]. Status: assumption.
    """
    both = noticed * (1.0 - repair_client_share + repair_client_share * partner_noticed)
    return repair_effort * both * logistic(repair_base + repair_understanding_gain * mentalising * attunement
                                           - repair_avoidance_cost * (habitual_avoidance - avoidance_typical)
                                           + repair_confrontation_gain * confronted
                                           + repair_disclosure_gain * (partner_disclosure - disclosure_typical)
                                           + repair_skill)


@inlined
def moved_share(share, step):
    """A share after a step that shrinks toward its ends.

    s + step*4s(1 - s), the step at most a quarter either way. Limit: stays in 0..1. Derived.
    """
    return share + minimum(maximum(step, -0.25), 0.25) * 4.0 * share * (1.0 - share)


# ------------------------------------------------------------------------------------------------------ coming in


@inlined
def calm(limbic, arousal_typical):
    """Arousal with which a person comes in: the typical one, as far as the limbic system is intact: min(limbic, 1)*L_typ.

    Limit: 0 without the limbic system [K16]. Status: assumption.
    """
    return arousal_typical * minimum(limbic, 1.0)


# --------------------------------------------------------------------------------------------------- session end


@inlined
def insecurity(anxiety, avoidance, anxiety_typical, avoidance_typical):
    """How much more insecure than typical a person is: (a - a0) + (v - v0). Limit: 0 for the typical person. Derived."""
    return (anxiety - anxiety_typical) + (avoidance - avoidance_typical)


@inlined
def first_impression(compatibility_luck, impression_luck, impression_accuracy):
    """How the other strikes a person at first sight (SD 1): r*z_c + sqrt(1 - r^2)*z, z_c the draw of their compatibility.

    Limit: what the two will find out of each other for r = 1 (as far as that is no matter of their attachment), chance for r = 0.
    Thin slices of behaviour tell something, not much [K13]. Status: assumption.
    """
    return correlated(compatibility_luck, impression_luck, impression_accuracy)


@inlined
def first_trust(anxiety, avoidance, impression, trust_start, trust_start_security_gain, trust_impression_gain, anxiety_typical,
                avoidance_typical):
    """Trust at the first meeting, from the attachment with which a person meets this one, and from how they strike them.

    S(S^-1(t0) - g*((a - a0) + (v - v0)) + gZ*Z), Z the first impression. Limit: t0 for the typical person and impression [K13].
    Status: assumption.
    """
    return logistic(logit(trust_start) + trust_impression_gain * impression
                    - trust_start_security_gain * insecurity(anxiety, avoidance, anxiety_typical, avoidance_typical))


@inlined
def first_agreement(impression, agreement_start, agreement_impression_gain):
    """Agreement on tasks and goals at the first meeting: S(S^-1(s) + gZ*Z), Z the first impression. Limit: s for Z = 0 [K13].

    Status: assumption.
    """
    return lifted(agreement_start, agreement_impression_gain * impression)


@inlined
def trust_target(mean_perceived, trust_response_gain, perceived_typical, trust_typical):
    """The trust (perceived trustworthiness) that this session's responses, as perceived, support.

    S(S^-1(t_typ) + gP*(S^-1(p) - S^-1(p_typ))). Limit: t_typ for the typical response [K4, K18, K23].
    Status: assumption.
    """
    return logistic(logit(trust_typical) + trust_response_gain * (logit(mean_perceived) - logit(perceived_typical)))


@inlined
def felt_bond(trust, anxiety, avoidance, bond_security_gain, anxiety_typical, avoidance_typical):
    """The bond of the alliance: trust, as far as one feels secure with this partner.

    S(S^-1(trust) - gS*((a - a0) + (v - v0))). Limit: the trust itself for the typical person. Path response ->
    trust and security -> bond [K4, K18, K22, K23]; agreement on tasks runs ahead of it in avoidant people [A4], who rate
    the alliance low [A7]. Status: assumption.
    """
    return logistic(logit(trust) - bond_security_gain * insecurity(anxiety, avoidance, anxiety_typical, avoidance_typical))


@inlined
def toward(value, target, rate):
    """A value after moving a share ``rate`` of the way to its target: x + rate*(target - x). Derived.

    Closed form after n steps: target + (x0 - target)*(1 - rate)^n.
    """
    return value + rate * (target - value)


@inlined
def secured(attachment, alliance, plasticity, alliance_security_rate, alliance_typical):
    """Anxiety with the partner, or avoidance of them, after a session: a good alliance is a secure base, a poor one is not.

    x - plasticity*r*(A - A_typ)*4x(1 - x). Limit: unchanged without plasticity or at the typical alliance; stays in 0..1.
    The therapist becomes an attachment figure, and the alliance goes on working on attachment [K22, K23].
    Status: assumption.
    """
    return moved_share(attachment, -plasticity * alliance_security_rate * (alliance - alliance_typical))


@inlined
def carried_attachment(general, general_mean, carried_share):
    """Anxiety or avoidance that the general model leads a person to expect of a bond: m + c*(x - m), m the mean of their role.

    Limit: the general model itself for c = 1, everybody alike for c = 0. Attachment to one person says little about attachment to
    the next [K13, K22]. Status: assumption (size).
    """
    return general_mean + carried_share * (general - general_mean)


@inlined
def first_attachment(carried, bond_luck, general_mean, general_sd, carried_share, bond_spread):
    """Anxiety or avoidance with a new partner: S(S^-1(carried) + b*sqrt(1 - c^2)*sd/(m*(1 - m))*z).

    Limit: what is carried over for c = 1 or b = 0. The rest belongs to these two people; the spread, that of the general model on
    the logit scale, keeps it in 0..1 [K13, K22]. Status: assumption.
    """
    spread = bond_spread * np.sqrt(1.0 - carried_share * carried_share) * general_sd / (general_mean * (1.0 - general_mean))
    return lifted(carried, spread * bond_luck)


@inlined
def generalised(attachment, carried, trust, mean_learning_gate, plasticity, prototype_learning_rate, general_trust_gain,
                trust_typical):
    """What the general model learns from a session with this person: plasticity*r*G*c*(x - carried).

    c = 2*S(g*(S^-1(trust) - S^-1(t_typ))), G the learning gate's mean in the session. Limit: nothing without plasticity, without
    learning, or where the bond is what the general model expected of it: it learns from its own prediction error, and most from
    somebody who is trusted [K15, K22]. Status: assumption.
    """
    trusted = 2.0 * logistic(general_trust_gain * (logit(trust) - logit(trust_typical)))
    return plasticity * prototype_learning_rate * mean_learning_gate * trusted * (attachment - carried)


@inlined
def anchored(learned, sustained, anchor_learning_share):
    """What of that reaches the early anchor: s*T*learned, T how long trust has lasted in this bond.

    Limit: nothing for s = 0, or in a bond that has just begun. What was learned in a relation that lasts stays when it is over
    [K15, K22]. Status: assumption.
    """
    return anchor_learning_share * sustained * learned


@inlined
def taking_part(mean_perceived, perceived_typical, capability_typical):
    """How the client takes part, as the therapist meets it, on the scale of capability: c_typ + p - p_typ.

    Limit: the typical capability for the typical collaboration. Status: assumption.
    """
    return capability_typical + mean_perceived - perceived_typical


@inlined
def capability_target(mean_attunement, progress, trust, capability_typical, capability_attunement_gain, attunement_typical,
                      capability_progress_gain, capability_trust_gain, trust_typical):
    """How capable the partner seems: understood well, things getting better, trusted.

    S(S^-1(c_typ) + gq*(q - q_typ) + gD*progress + gT*(trust - t_typ)); progress in SD of distress since intake.
    The client's perception of capability [K18]; being understood acts on the alliance [K23]. Status: assumption.
    """
    return logistic(logit(capability_typical) + capability_attunement_gain * (mean_attunement - attunement_typical)
                    + capability_progress_gain * progress + capability_trust_gain * (trust - trust_typical))


@inlined
def agreement_target(capability, shared_meaning, trust, progress, agreement_base, agreement_capability_gain,
                     capability_typical, agreement_meaning_gain, shared_meaning_typical, agreement_trust_gain,
                     trust_typical, agreement_progress_gain):
    """Agreement on tasks or goals that capability, shared meaning, trust and progress support.

    S(b + gC*(c - c_typ) + gM*(M - M_typ) + gT*(trust - t_typ) + gD*progress). Task leans on capability and meaning,
    goal on progress (their own parameters). Collaboration [K18], co-created meaning [K11]. Status: assumption.
    """
    return logistic(agreement_base + agreement_capability_gain * (capability - capability_typical)
                    + agreement_meaning_gain * (shared_meaning - shared_meaning_typical)
                    + agreement_trust_gain * (trust - trust_typical) + agreement_progress_gain * progress)


@inlined
def session_quality(mean_perceived, usual, quality_luck, distress, distress_usual, quality_response_gain, quality_luck_sd,
                    quality_distress_cost):
    """How good this session was for a person, against what they are used to here (0: as usual).

    g*(S^-1(p) - S^-1(usual)) + sd*z - c*(D - usual D), p the session mean of perceived responses. Limit: luck alone in a session
    like the others. An hour holds more than this model does: luck made it good or bad, felt and true, partly for both alike; a
    bad week makes a bad session [K4, K11]. Status: assumption.
    """
    return (quality_response_gain * (logit(mean_perceived) - logit(usual)) + quality_luck_sd * quality_luck
            - quality_distress_cost * (distress - distress_usual))


@inlined
def momentary(quality, open_rupture, alliance_quality_gain, rupture_alliance_cost):
    """What this session adds to how the alliance is felt (logit): g*quality - c*O, O what is open of ruptures.

    Limit: 0 in a session like the others. The alliance has a lasting part and one of the day [K4, K18]. Status: assumption.
    """
    return alliance_quality_gain * quality - rupture_alliance_cost * open_rupture


@inlined
def as_felt(level, moment):
    """Bond, task or goal as they are felt after this session: S(S^-1(x) + moment). Limit: x itself for 0. Derived."""
    return lifted(level, moment)


@inlined
def alliance(bond, task, goal, moment):
    """The working alliance as it is felt after a session: mean of bond, task and goal (bordin1979) [K4, K18], moved by the day.

    S(S^-1((b + t + g)/3) + moment). Limit: the mean in a session like the others. Status: empirical.
    """
    return lifted((bond + task + goal) / 3.0, moment)


@inlined
def relief(quality, relief_gain):
    """Distress (SD) that a good session takes away for a while, and a bad one adds: g*quality.

    Limit: 0 in a session like the others. It fades, since the set point stays; hope and relief come before lasting change
    (remoralisation) [K25]. Status: assumption.
    """
    return relief_gain * quality


@inlined
def engagement_target(alliance, distress, engagement_base, engagement_alliance_gain, alliance_typical,
                      engagement_distress_gain, distress_typical):
    """Motivation and commitment that the alliance and the pressure of suffering support.

    S(b + gA*(A - A_typ) + gD*(distress - typ)). Alliance feeds motivation and is fed by it (through
    collaboration) [K18, K25]. Status: assumption.
    """
    return logistic(engagement_base + engagement_alliance_gain * (alliance - alliance_typical)
                    + engagement_distress_gain * (distress - distress_typical))


@inlined
def healing(distress, alliance, engagement, labelling, treatment_gain, partner_treatment_gain, healing_rate,
            alliance_typical, healing_alliance_power, engagement_typical, labelling_typical, healing_labelling_share,
            healthy_distress, healing_reach):
    """Distress (SD) that one session takes away.

    rate * e*h/(e + h) * (A/A_typ)^k * (E/E_typ) * (1 + s*(l/l_typ - 1)) * (1 + g_client) * exp(g_therapist), e = (distress -
    healthy)+, h its reach. Limit: 0 without engagement; rate*e near health, so gains slow down as in dose-response data; rate*h
    for the very ill: nearly one step for all, so treatment moves people without changing who is worse off than whom.
    Empathy and a secure base -> motivation -> effective treatment [K25]; naming feelings serves health [K20]. Clients differ in
    what the same treatment does to them, a few are harmed by it (g < -1; lambert2013); therapists differ in how well they carry
    it out, beyond the alliance (johns2019). Status: assumption.
    """
    work = (exp(healing_alliance_power * log(maximum(alliance, _EDGE) / alliance_typical) + partner_treatment_gain)
            * (1.0 + treatment_gain) * engagement / engagement_typical
            * (1.0 + healing_labelling_share * (labelling / labelling_typical - 1.0)))
    excess = maximum(distress - healthy_distress, 0.0)
    return minimum(maximum(healing_rate * work, -1.0), 1.0) * excess * healing_reach / (excess + healing_reach)


@inlined
def rupture_distress(open_rupture, rupture_distress_step):
    """Distress (SD) that what is open of ruptures after the session adds: step*O.

    Limit: nothing where all is repaired. Treatment can harm: who is hurt and not met leaves worse than they came (lambert2013),
    as insecurity with an attachment figure is itself distressing [K10, A8]. Status: assumption.
    """
    return rupture_distress_step * open_rupture


@inlined
def dropout_probability(alliance, engagement, open_rupture, avoidance, session, dropout_base, dropout_alliance_gain,
                        alliance_typical, dropout_engagement_gain, engagement_typical, dropout_rupture_gain,
                        dropout_avoidance_gain, avoidance_typical, dropout_early_gain, dropout_early_fade, dropout_outside):
    """Probability that the client does not come back after this session.

    p + (1 - p)*outside, p = S(b - gA*(A - A_typ) - gE*(E - E_typ) + gO*O + gV*(v - v0) + gF*exp(-(session - 1)/fade)).
    Security and alliance keep people, open ruptures (O) cost them [K4, K18, A7]; some leave for reasons that have nothing to do
    with the therapy. Limit: only those where nothing inside makes leave. Status: assumption.
    """
    inside = logistic(dropout_base - dropout_alliance_gain * (alliance - alliance_typical)
                      - dropout_engagement_gain * (engagement - engagement_typical)
                      + dropout_rupture_gain * open_rupture + dropout_avoidance_gain * (avoidance - avoidance_typical)
                      + dropout_early_gain * exp(-(session - 1.0) / dropout_early_fade))
    return inside + (1.0 - inside) * dropout_outside


@inlined
def well_enough(distress, session, good_enough_chance, good_enough_distress, good_enough_sessions, good_enough_prob):
    """Whether the client ends because they are well enough (1 or 0): distress low, sessions enough, and a draw within p.

    Limit: never for p = 0. Clients leave when they have what they came for (the good-enough level). Status: assumption.
    """
    there = (distress < good_enough_distress) & (session >= good_enough_sessions) & (good_enough_chance <= good_enough_prob)
    return select(there, 1.0, 0.0)


# ------------------------------------------------------------------------------------------------ a service


@inlined
def partly_shared(common, own, shared_share):
    """A standard normal draw that two views have partly in common: sqrt(s)*common + sqrt(1 - s)*own.

    Limit: the same in both for s = 1, unrelated for s = 0; their correlation is s. Derived.
    """
    return np.sqrt(shared_share) * common + np.sqrt(1.0 - shared_share) * own


@inlined
def correlated(common, own, r):
    """A standard normal draw that goes with another one: r*common + sqrt(1 - r^2)*own.

    Limit: a draw of its own for r = 0, the same for r = 1. Derived.
    """
    return r * common + np.sqrt(1.0 - r * r) * own


@inlined
def dyadic_compatibility(compatibility_luck, anxiety, avoidance, partner_anxiety, partner_avoidance, compatibility_sd,
                         complementarity_gain, anxiety_mean, avoidance_mean, partner_anxiety_mean, partner_avoidance_mean):
    """Lasting compatibility of two people (logit): a random draw, and what it makes that they are alike or complement each other.

    sd*z - g*((a - a_m)*(a_p - a_pm) + (v - v_m)*(v_p - v_pm)), means of each one's own role in the population.
    Limit: the draw alone for g = 0, the default. Studies disagree: dissimilar pairs did better in tyrrell1999, petrowski2011 and
    marmarosh2014 (g > 0), similar low-avoidant ones elsewhere (g < 0): a switch, not a claim [A7]. Status: assumption.
    """
    alike = ((anxiety - anxiety_mean) * (partner_anxiety - partner_anxiety_mean)
             + (avoidance - avoidance_mean) * (partner_avoidance - partner_avoidance_mean))
    return compatibility_sd * compatibility_luck - complementarity_gain * alike


@inlined
def waiting_loss_probability(weeks_waiting, distress, waiting_loss_base, waiting_loss_week_gain, waiting_loss_distress_gain,
                             distress_typical):
    """Probability that somebody on the waiting list gives up this week.

    S(b + gW*weeks - gD*(distress - typ)), weeks before this one. Limit: S(b) in the first week for the typical client. Long
    waits lose people, and those who feel better while they wait most easily. Status: assumption.
    """
    return logistic(waiting_loss_base + waiting_loss_week_gain * weeks_waiting
                    - waiting_loss_distress_gain * (distress - distress_typical))


@inlined
def expected_score(first_score, session, expected_points, expected_points_most):
    """The CORE-OM score that routine monitoring expects before this session: first - min(points*(session - 1), most).

    Limit: the first score before the first session. Whoever stands far above it is off track. Status: assumption (sizes); the
    idea of warning therapists after lambert2018.
    """
    return first_score - minimum(expected_points * (session - 1.0), expected_points_most)


@inlined
def fatigue_after(fatigue, load, carried, open_ruptures, fatigue_week_keep, fatigue_load_gain, fatigue_carried_gain,
                  fatigue_rupture_gain):
    """A therapist's fatigue one week on, in 0..1: rest takes away, overload, distress carried home and open ruptures add.

    keep*f + gL*(load - 1)+ + gC*(carried)+ + gR*open, all per session a week that the post has room for: load = sessions held,
    carried = own arousal in them above the typical therapist's (summed), open = what is open of ruptures in them (summed).
    Limit: fades by ``keep`` in a calm week. Load alone relates only weakly to burnout; what is carried home is more, and more
    for anxious therapists (evidence 15.3) [K14, A9]. Status: assumption.
    """
    more = (fatigue_load_gain * maximum(load - 1.0, 0.0) + fatigue_carried_gain * maximum(carried, 0.0)
            + fatigue_rupture_gain * open_ruptures)
    return minimum(fatigue_week_keep * fatigue + more, 1.0)


@inlined
def quitting_probability(fatigue, quitting_base, quitting_fatigue_gain):
    """Probability that a therapist leaves the post this week: S(b + g*fatigue). Limit: S(b) when rested. Status: assumption."""
    return logistic(quitting_base + quitting_fatigue_gain * fatigue)


@inlined
def handed_over(fresh, before, hand_over_share):
    """What a client brings to the next therapist: fresh + s*(before - fresh), for attachment, trust, and agreement.

    fresh: as with a stranger; before: as it stood with the therapist before. Limit: a stranger for s = 0; everything for s = 1.
    Attachment to a therapist belongs to that person and does not carry over whole [K22]. Status: assumption.
    """
    return fresh + hand_over_share * (before - fresh)


# ----------------------------------------------------------------------------------------------- how people came here


@inlined
def first_anchor(today, distress, anchor_luck, mean, sd, distress_gain, anchor_rate, prototype_state_share):
    """Early anchor (0..1) that fits where a person stands today, who is drawn at random of those who stand there.

    m + (1 - h)*(a - push - m) + sd*s*z, with push = g*D*4*a*(1 - a)/rate and s^2 = (1 - h)*h. Limit: where the person stands
    today for h = 0 and no distress; the mean of the population for h = 1. What stands today is the anchor, the push of
    distress and the disturbance of recent life. Derived: what ``prototype_drift`` leads to in the long run.
    """
    lasting = select(anchor_rate > 0.0, anchor_rate, 1.0)
    push = select(anchor_rate > 0.0, distress_gain * distress * 4.0 * today * (1.0 - today) / lasting, 0.0)
    kept = 1.0 - prototype_state_share
    return mean + kept * (today - push - mean) + sd * np.sqrt(kept * prototype_state_share) * anchor_luck


@inlined
def earned_anchor(early, today, earned_share):
    """Early anchor (0..1) of somebody who stood elsewhere early in life.

    then + s*(now - then). Limit: where they stood for s = 0, where they stand for s = 1. Earned security holds: most of the
    way has become the person's own. Status: assumption.
    """
    return early + earned_share * (today - early)


# ------------------------------------------------------------------------------------------- life, week by week


@inlined
def defence(anxiety_z, avoidance_z, anxiety_path, avoidance_path, own):
    """Level (SD) of a defence mechanism, from attachment and what is the person's own.

    pA*zA + pV*zV + own, all standardised. Limit: the own part without insecurity. Insecure people defend in immature
    and neurotic ways (ciocca2020) [A8]. Status: assumption (sizes).
    """
    return anxiety_path * anxiety_z + avoidance_path * avoidance_z + own


@inlined
def defence_noise_sd(anxiety_path, avoidance_path, r):
    """SD of what is a person's own in a defence, so that its variance among people is 1.

    sqrt(1 - pA^2 - pV^2 - 2*r*pA*pV), 0 where the paths explain more than all. Limit: 1 without paths. Derived.
    """
    left = 1.0 - anxiety_path * anxiety_path - avoidance_path * avoidance_path - 2.0 * r * anxiety_path * avoidance_path
    return np.sqrt(maximum(left, 0.0))


@inlined
def set_point_noise_sd(distress_anxiety_path, distress_avoidance_path, distress_immature_path, distress_neurotic_path,
                       immature_anxiety_path, immature_avoidance_path, neurotic_anxiety_path, immature_sd, neurotic_sd, r,
                       distress_state_share):
    """SD of what is a person's own in the set point of distress, so that the variance of distress among people is 1.

    sqrt(1 - explained - state share): explained by attachment, directly and through defences, and by the own parts of defences.
    Limit: 0 where more than all is explained. Derived.
    """
    a = distress_anxiety_path + distress_immature_path * immature_anxiety_path + distress_neurotic_path * neurotic_anxiety_path
    v = distress_avoidance_path + distress_immature_path * immature_avoidance_path
    by_immature, by_neurotic = distress_immature_path * immature_sd, distress_neurotic_path * neurotic_sd
    explained = a * a + v * v + 2.0 * r * a * v + by_immature * by_immature + by_neurotic * by_neurotic
    return np.sqrt(maximum(1.0 - explained - distress_state_share, 0.0))


@inlined
def help_seeking_probability(distress, help_seeking_threshold, help_seeking_width):
    """Probability that a person of the community with this distress (SD) comes for therapy.

    S((x - threshold)/width). Limit: one half at the threshold; a sharp cut for a narrow width. Status: assumption.
    """
    return logistic((distress - help_seeking_threshold) / help_seeking_width)


@inlined
def expected_distress(anxiety_z, avoidance_z, immature, neurotic, distress_anxiety_path, distress_avoidance_path,
                      distress_immature_path, distress_neurotic_path):
    """Distress (community SD) that attachment and defences lead one to expect.

    Sum of path * cause, all standardised. Limit: 0 for the average person. Paths after ciocca2020 and zhang2022;
    insecurity -> defences -> distress [A8]. Status: assumption (sizes).
    """
    return (distress_anxiety_path * anxiety_z + distress_avoidance_path * avoidance_z
            + distress_immature_path * immature + distress_neurotic_path * neurotic)


@inlined
def distress_drift(distress, distress_set_point, distress_luck, event, event_luck, distress_return_rate, distress_state_share,
                   life_event_prob, life_event_distress_share):
    """Distress (SD) one week on, life alone: back toward the set point, disturbed by small things and, rarely, by a life event.

    x + k*(set point - x) + sqrt((1 - e)*v)*z + event*sqrt(e*v/p)*z_event, v = share*(1 - (1 - k)^2), e: proportion of the
    disturbance that comes in events, p: their probability. Closed form: stationary variance around the set point = share,
    whatever e (where events can happen). Regression to the mean without treatment; events go either way and fade. Status:
    assumption."""
    kept = 1.0 - distress_return_rate
    week_variance = distress_state_share * (1.0 - kept * kept)
    small = np.sqrt((1.0 - life_event_distress_share) * week_variance)
    large = np.sqrt(life_event_distress_share * week_variance / maximum(life_event_prob, 1e-9))
    return (distress + distress_return_rate * (distress_set_point - distress) + small * distress_luck
            + event * large * event_luck)


@inlined
def prototype_drift(prototype, anchor, prototype_luck, distress, population_mean, population_sd, plasticity, anchor_rate,
                    prototype_state_share, distress_gain):
    """A person's general anxiety or avoidance one week on, life alone: pulled to the early anchor, disturbed by small events.

    x + k*(anchor - x) + plasticity*(sd*z + c*distress)*4x(1 - x), sd = sd_pop*sqrt(share*(1 - (1 - k)^2)) / 4m(1 - m), in
    0..1; m: population mean, so that an average person is disturbed by just the share. Limit: without plasticity only the pull to
    the anchor is left: plasticity is of learning, not of forgetting.
    A prototype with an anchor fits adult data better than free drift (fraley2011); distress feeds insecurity [A8, K15].
    Status: assumption.
    """
    kept = 1.0 - anchor_rate
    week_sd = population_sd * np.sqrt(prototype_state_share * (1.0 - kept * kept))
    week_sd = week_sd / (4.0 * population_mean * (1.0 - population_mean))
    step = week_sd * prototype_luck + distress_gain * distress
    moved = prototype + anchor_rate * (anchor - prototype) + plasticity * step * 4.0 * prototype * (1.0 - prototype)
    return minimum(maximum(moved, 0.0), 1.0)


@inlined
def faded(regulation, plasticity, regulation_week_keep):
    """Trained regulation after a week without training: W*(1 - plasticity*(1 - keep)), at least 0.

    Limit: unchanged without plasticity, or for keep = 1. Training stays, and fades [K16]. Status: assumption.
    """
    return maximum(regulation * (1.0 - plasticity * (1.0 - regulation_week_keep)), 0.0)


@inlined
def shaken(attachment, moves, event_luck, plasticity, life_event_sd):
    """Attachment (a proportion) after a week in which a life event may have moved it, either way.

    moved_share(x, plasticity*sd*z) where one moves it, else x. Limit: unchanged without events or plasticity. Attachment can
    change at any age [K15]. Status: assumption.
    """
    return select(moves > 0.0, moved_share(attachment, plasticity * life_event_sd * event_luck), attachment)


# ----------------------------------------------------------------------------------------------- questionnaires


@inlined
def response_style(common, response_style_sd, own_luck, response_style_shared_share):
    """How favourably a rater answers one questionnaire (logit): sqrt(s)*common + sqrt(1 - s)*sd*z.

    common: what all ratings of this person have in common, of the same spread. Limit: the common part for s = 1. Status:
    assumption.
    """
    return partly_shared(common, response_style_sd * own_luck, response_style_shared_share)


@inlined
def reported_rupture(depth, report_chance, false_report_prob, report_depth):
    """Whether somebody reports a rupture of this session (1 or 0): a direct item, not a rule on alliance drops.

    A draw against 1 - (1 - f)*exp(-depth/d), depth of the deepest rupture as they notice it (safran_reviews). Limit: f in a
    smooth session. Status: assumption (sizes).
    """
    return select(report_chance <= 1.0 - (1.0 - false_report_prob) * exp(-depth / report_depth), 1.0, 0.0)


@inlined
def admitted(distress, avoidance, avoidance_typical, under_report_gain):
    """Distress (SD) that a person lets a questionnaire see: D - g*(v - v0). Deactivating people report less than they have [A4].

    Limit: all of it for the typical person. Status: assumption (size).
    """
    return distress - under_report_gain * (avoidance - avoidance_typical)


@inlined
def core_share(distress, week_noise, core_base, core_distress_gain):
    """Where distress lies on the CORE-OM, as a proportion of its scale.

    S(b + g*D + noise). Limit: S(b) for the average person in an ordinary week (evans2002). Status: assumption.
    """
    return logistic(core_base + core_distress_gain * distress + week_noise)


@inlined
def cats_secure_share(trust, anxiety, avoidance, style, cats_secure_base, cats_trust_gain, trust_typical,
                      cats_insecurity_gain, anxiety_typical, avoidance_typical, cats_style_share):
    """What a client answers on secure attachment to this therapist (somebody to rely on, who understands), as a proportion of the
    scale.

    S(b + gT*(S^-1(trust) - S^-1(trust_typ)) - gI*((a - a0) + (v - v0)) + sS*style). Limit: S(b) for the typical client.
    Items speak of a responsive, dependable, comforting presence (mallinckrodt1995): trust, and little of either insecurity.
    Status: assumption.
    """
    return logistic(cats_secure_base + cats_trust_gain * (logit(trust) - logit(trust_typical))
                    - cats_insecurity_gain * insecurity(anxiety, avoidance, anxiety_typical, avoidance_typical)
                    + cats_style_share * style)


@inlined
def cats_avoidant_share(trust, avoidance, style, cats_avoidant_base, cats_trust_gain, trust_typical, cats_insecurity_gain,
                        avoidance_typical, cats_style_share):
    """What a client answers on avoidant-fearful attachment to this therapist (mistrust, distance), as a proportion of the scale.

    S(b - gT*(S^-1(trust) - S^-1(trust_typ)) + gI*(v - v0) - sS*style). Limit: S(b) for the typical client.
    Items speak of suspicion, fear of disapproval and holding back (mallinckrodt1995): little trust, and avoidance. Who marks
    the therapy favourably rates these low. Status: assumption.
    """
    return logistic(cats_avoidant_base - cats_trust_gain * (logit(trust) - logit(trust_typical))
                    + cats_insecurity_gain * (avoidance - avoidance_typical) - cats_style_share * style)


@inlined
def cats_preoccupied_share(bid, trust, cats_preoccupied_base, cats_closeness_gain, cats_longing_gain, trust_typical):
    """What a client answers on preoccupied-merger attachment to this therapist (longing for more contact), as a proportion of the
    scale.

    S(b + g*S^-1(bid) + gT*(S^-1(trust) - S^-1(trust_typ))), bid = mean of the session. Limit: S(b) for bids of .5, those of the
    typical client at typical arousal, and typical trust.
    Items wish for closeness, time and being at one (mallinckrodt1995): closeness that an anxious client wants and an avoidant
    one does not, as bids express it [A2, A4]. None of them judges the therapist. Status: assumption.
    """
    return logistic(cats_preoccupied_base + cats_closeness_gain * logit(bid)
                    + cats_longing_gain * (logit(trust) - logit(trust_typical)))


@inlined
def rated_share(level, leniency, rating_gain, level_typical, style, noise):
    """What a rater answers, as a proportion of the scale, of something latent.

    S(S^-1(typ) + g*(S^-1(x) - S^-1(typ)) + leniency + style + noise).
    Limit: the level itself with gain 1 and nothing added. Raters use the top of alliance scales
    (evidence x1, x3) and have a style of their own. Status: assumption.
    """
    return logistic(logit(level_typical) + rating_gain * (logit(level) - logit(level_typical)) + leniency + style + noise)
