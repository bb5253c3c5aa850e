"""The same model written with Mesa: one agent per person, one step a week, every exchange spelled out by hand.

It serves two ends. It is the *parity oracle*: a second road to every latent number, which uses neither the tuples
EXCHANGE and SESSION nor the wiring by name; only equations (called in plain Python with plain floats) and the
counter-based random numbers are shared. Not all equations are: how people meet, what they do out of habit, words, ruptures,
how good a session was, and what it teaches are written out here once more. And it is what the speed of the core is measured
against, so it is written as well as an experienced Mesa user would: attributes and local variables, each role's numbers looked
up once, and one compiled call for all the luck of a session or of a week.

Questionnaires are left out: the twin is about latent states.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import mesa
import numpy as np

from sim.compiling import compiled
from sim.luck import absorbed, normal_at, occasion, pair, purpose_code, uniform_at
from sim.people.state import DYAD, PERSON
from sim.theory import equations as eq
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.regions import REGIONS
from sim.therapy.session import World

# ------------------------------------------------------------------------------------------------------------ luck

#: Luck of one exchange, in the order in which ``Client.exchange`` takes it: the client's own, then what belongs to this pair.
EXCHANGE_LUCK = (
    "client_mirror_luck",
    "client_stress_luck",
    "client_estimate_luck",
    "client_word_luck",
    "client_depth_luck",
    "client_rupture_chance",
    "client_confrontation_chance",
    "client_repair_chance",
    "therapist_mirror_luck",
    "therapist_stress_luck",
    "therapist_estimate_luck",
    "therapist_word_luck",
    "therapist_timing_luck",
)
_SESSION_LUCK = ("dropout", "good_enough", "quality", "client_quality", "therapist_quality")
_LIFE_LUCK = (
    "distress",
    "prototype_anxiety",
    "prototype_avoidance",
    "life_event_anxiety",
    "life_event_avoidance",
    "life_event",
    "life_event_kind",
    "life_event_distress",
)


def _session_luck(seed, replicate, client, pair, week, purposes, out):  # type: ignore[no-untyped-def]
    """All luck of one session: what is the client's own, and what belongs to this pair."""
    own, shared = occasion(seed, replicate, client, week), occasion(seed, replicate, pair, week)
    for exchange in range(out.shape[1]):
        step = np.uint64(exchange)
        for k in range(5):
            out[k, exchange] = normal_at(absorbed(own, purposes[k]), step)
        for k in range(5, 8):
            out[k, exchange] = uniform_at(absorbed(own, purposes[k]), step)
        for k in range(8, 13):
            out[k, exchange] = normal_at(absorbed(shared, purposes[k]), step)
    zero = np.uint64(0)
    return (
        uniform_at(absorbed(own, purposes[13]), zero),
        uniform_at(absorbed(own, purposes[14]), zero),
        normal_at(absorbed(shared, purposes[15]), zero),
        normal_at(absorbed(shared, purposes[16]), zero),
        normal_at(absorbed(shared, purposes[17]), zero),
    )


def _life_luck(seed, replicate, who, week, purposes):  # type: ignore[no-untyped-def]
    """All luck of one person's week."""
    here, zero = occasion(seed, replicate, who, week), np.uint64(0)
    return (
        normal_at(absorbed(here, purposes[0]), zero),
        normal_at(absorbed(here, purposes[1]), zero),
        normal_at(absorbed(here, purposes[2]), zero),
        normal_at(absorbed(here, purposes[3]), zero),
        normal_at(absorbed(here, purposes[4]), zero),
        uniform_at(absorbed(here, purposes[5]), zero),
        uniform_at(absorbed(here, purposes[6]), zero),
        normal_at(absorbed(here, purposes[7]), zero),
    )


def _first_luck(seed, replicate, who, purpose):  # type: ignore[no-untyped-def]
    """One normal number at the very beginning."""
    zero = np.uint64(0)
    return normal_at(absorbed(occasion(seed, replicate, who, zero), purpose), zero)


# ---------------------------------------------------------------------------------------------------------- people


def lifted(share: float, by: float) -> float:
    """A proportion after a move on the logit scale."""
    return eq.logistic(eq.logit(share) + by)  # type: ignore[no-any-return]


def numbers_of(role: str, p: Parameters) -> SimpleNamespace:
    """The numbers as they hold for one role: its own where it has one, else the common one."""
    return SimpleNamespace(**{name.removeprefix(f"{role}_"): p.of(role, name.removeprefix(f"{role}_")) for name in PARAMETERS})


class Person(mesa.Agent):
    """A client or a therapist: a general model of others, and a bond with the one partner they work with."""

    role: str
    model: Therapy
    partner: Person

    def __init__(self, model: Therapy, code: np.uint64, columns: dict[str, float]) -> None:
        super().__init__(model)
        self.code = code
        self.p = model.parameters[self.role]
        self.brain = model.brains[self.role]
        for name, value in columns.items():
            setattr(self, name, value)
        self.attunement = self.felt_understanding = self.bid = self.warmth = self.disclosure = self.response = 0.0
        self.tension = self.sustained = self.quality = self.moment = 0.0

    # -- before the first session

    def form_first_impression(self, match: float, sight: float, luck: Callable[[str], float]) -> None:
        """How well the two fit, how the other strikes one at sight, and with what attachment, trust and hope one begins."""
        p, role = self.p, self.role
        fit = eq.partly_shared(match, luck(f"{role}_match"), p.compatibility_shared_share)
        self.compatibility = min(max(p.compatibility_sd * fit, -8.0), 8.0)
        chance = eq.partly_shared(sight, luck(f"{role}_impression"), p.impression_shared_share)
        struck = p.impression_accuracy * fit + math.sqrt(1.0 - p.impression_accuracy**2) * chance  # sees the draw, not its size
        self.impression = min(max(struck, -8.0), 8.0)
        for name in ("anxiety", "avoidance"):
            mean, sd = self.population(name)
            own = p.bond_spread * math.sqrt(1.0 - p.carried_share**2) * sd / (mean * (1.0 - mean))
            setattr(self, f"bond_{name}", lifted(self.expected_of_a_bond(name), own * luck(f"{role}_bond_{name}")))
        insecurity = self.bond_anxiety - p.anxiety_typical + (self.bond_avoidance - p.avoidance_typical)
        self.trust = lifted(p.trust_start, p.trust_impression_gain * self.impression - p.trust_start_security_gain * insecurity)
        self.perceived_mean = self.perceived = self.usual = self.expected_response()
        self.inconsistency, self.distress_usual = p.inconsistency_typical, self.distress
        self.bond = self.felt_bond()
        self.task = self.goal = lifted(p.agreement_start, p.agreement_impression_gain * self.impression)
        self.alliance = eq.alliance(self.bond, self.task, self.goal, self.moment)
        self.arousal = p.arousal_typical * min(self.brain.limbic, 1.0)
        self.fall_into_habits()
        self.expression = self.shown()

    def population(self, name: str) -> tuple[float, float]:
        """Mean and spread of anxiety or avoidance among people of this role, as proportions."""
        return (getattr(self.p, f"{name}_mean") - 1.0) / 6.0, getattr(self.p, f"{name}_sd") / 6.0

    def expected_of_a_bond(self, name: str) -> float:
        """The anxiety or avoidance that the general model lets one expect with anybody: part of how it differs from most."""
        mean, _ = self.population(name)
        return mean + self.p.carried_share * (getattr(self, name) - mean)  # type: ignore[no-any-return]

    def fall_into_habits(self) -> None:
        """With which anxiety and avoidance one acts now: in part as with everybody, in part as with this partner so far."""
        of_all = self.p.habit_share
        self.habit_anxiety = of_all * self.anxiety + (1.0 - of_all) * self.bond_anxiety
        self.habit_avoidance = of_all * self.avoidance + (1.0 - of_all) * self.bond_avoidance

    def expected_response(self) -> float:
        """What one expects of this partner."""
        p = self.p
        return eq.expectation(  # type: ignore[no-any-return]
            self.bond_anxiety,
            self.bond_avoidance,
            self.impression,
            p.perceived_typical,
            p.expectation_avoidance_cost,
            p.expectation_anxiety_cost,
            p.expectation_impression_gain,
            p.anxiety_typical,
            p.avoidance_typical,
        )

    # -- parts of an exchange

    def come_in(self) -> None:
        """A session begins; nothing is said yet."""
        p = self.p
        self.brought_anxiety, self.brought_avoidance = self.anxiety, self.avoidance
        self.arousal = p.arousal_typical * min(self.brain.limbic, 1.0)
        self.disclosure, self.said = 0.0, p.arousal_typical
        self.perceived = self.perceived_mean
        self.moments: list[tuple[float, ...]] = []

    def sense(self, mirror_luck: float, stress_luck: float, estimate_luck: float) -> None:
        """Mirror, resonate, feel, work out what it means."""
        p, brain, partner = self.p, self.brain, self.partner
        self.mirrored = mirrored = eq.mirrored(
            brain.mirror,
            partner.expression,
            self.avoidance,
            mirror_luck,
            p.mirror_gain,
            p.mirror_avoidance_cost,
            p.mirror_noise_sd,
            p.mirror_noise_avoidance_gain,
            p.avoidance_typical,
        )
        target = eq.arousal_target(
            brain.limbic,
            self.distress,
            self.bond_anxiety,
            self.anxiety,
            self.perceived,
            mirrored,
            stress_luck,
            p.arousal_base,
            p.arousal_distress_gain,
            p.distress_typical,
            p.arousal_anxiety_gain,
            p.anxiety_typical,
            p.rejection_gain,
            p.perceived_typical,
            p.arousal_stress_sd,
            p.contagion_share,
            p.contagion_base,
            p.contagion_anxiety_gain,
        )
        self.control = control = eq.control(self.regulation, brain.ofc)
        self.arousal = arousal = eq.arousal(
            self.arousal,
            target,
            control,
            self.anxiety,
            p.arousal_rise_rate,
            p.arousal_fall_rate,
            p.regulation_gain,
            p.recovery_anxiety_cost,
            p.anxiety_typical,
        )
        self.felt = felt = eq.felt(brain.insula, mirrored, arousal, p.insula_half)
        self.mentalising = mentalising = eq.mentalising(
            brain.dmpfc,
            self.skill,
            arousal,
            self.avoidance,
            self.fatigue,
            p.mentalising_threshold,
            p.mentalising_width,
            p.mentalising_avoidance_cost,
            p.avoidance_typical,
        )
        self_other = eq.self_other(brain.tpj, arousal, p.self_other_flood_cost, p.mentalising_threshold)
        self.separation = eq.separation(self_other, felt)
        by_feeling = p.felt_precision * felt**2 / (felt**2 + p.felt_half**2)
        by_words = p.words_precision * partner.disclosure * mentalising * self_other
        self.estimate = estimate = eq.estimate(
            felt,
            partner.said,
            by_feeling,
            by_words,
            mentalising,
            self_other,
            brain.ofc,
            arousal,
            partner.habit_anxiety,
            partner.habit_avoidance,
            estimate_luck,
            p.estimate_typical,
            p.felt_typical,
            p.estimate_correction,
            p.expression_avoidance_cost,
            p.expression_anxiety_gain,
            p.anxiety_typical,
            p.avoidance_typical,
            p.estimate_noise_sd,
            p.salience_base,
            p.salience_gain,
        )
        self.attunement = attunement = eq.attunement(estimate, partner.arousal, p.attunement_width)
        self.felt_understanding = eq.felt_understanding(attunement, felt, brain.vmpfc, p.felt_enough)

    def shown(self) -> float:
        """How much of their arousal shows without words, with the anxiety and avoidance of habit."""
        p = self.p
        return eq.expression(  # type: ignore[no-any-return]
            self.arousal,
            self.habit_anxiety,
            self.habit_avoidance,
            self.trust,
            p.arousal_typical,
            p.expression_gain,
            p.expression_flattening,
            p.expression_offset,
            p.expression_avoidance_cost,
            p.expression_anxiety_gain,
            p.expression_trust_gain,
            p.anxiety_typical,
            p.avoidance_typical,
        )

    def show(self, word_luck: float) -> None:
        """Show without words, say, and convey warmth."""
        p = self.p
        self.expression = self.shown()
        self.disclosure = eq.disclosure(
            self.expression,
            self.habit_anxiety,
            self.habit_avoidance,
            self.trust,
            p.disclosure_base,
            p.disclosure_trust_gain,
            p.disclosure_avoidance_cost,
            p.disclosure_fearful_cost,
            p.disclosure_expression_gain,
            p.expression_typical,
            p.anxiety_typical,
            p.avoidance_typical,
        )
        smaller = p.concealment_gain * (self.disclosure - p.disclosure_typical)  # who says little makes it small
        self.said = lifted(self.arousal, smaller + p.word_noise_sd * word_luck)
        self.warmth = eq.warmth(
            self.avoidance,
            self.fatigue,
            self.warmth_trait,
            p.warmth_base,
            p.avoidance_warmth_cost,
            p.fatigue_warmth_cost,
        )

    def receive(self, compatibility: float) -> None:
        """Perceive the partner's response, calm down, find words, and learn what to expect of them."""
        p, brain, partner = self.p, self.brain, self.partner
        anxiety, avoidance, arousal = self.bond_anxiety, self.bond_avoidance, self.arousal
        expectation = self.expected_response()
        self.perceived = perceived = eq.perceived(
            partner.response,
            expectation,
            anxiety,
            avoidance,
            arousal,
            self.mentalising,
            self.estimate,
            partner.warmth,
            compatibility,
            p.perception_pull_base,
            p.perception_pull_gain,
            p.perception_mentalising_gain,
            p.mentalising_typical,
            p.threat_gain,
            p.arousal_typical,
            p.closeness_cost,
            p.warmth_typical,
            p.tension_reading_gain,
            p.estimate_typical,
            p.avoidance_typical,
            0.0,  # nobody is trained here
        )
        surprise = eq.surprise(perceived, expectation)
        self.inconsistency = eq.inconsistency(self.inconsistency, perceived, self.perceived_mean, p.inconsistency_rate)
        self.perceived_mean = eq.perceived_mean(self.perceived_mean, perceived, p.perceived_mean_rate)
        self.conflict = eq.conflict(brain.acc, surprise)
        self.noticing = eq.noticed(brain.acc, self.conflict, p.notice_floor, p.notice_conflict_gain)
        arousal = eq.calmed_arousal(arousal, perceived, p.co_regulation_rate)
        self.labelling = labelling = eq.labelling(
            brain.vlpfc, self.disclosure, perceived, p.labelling_base, p.labelling_safety_gain
        )
        self.arousal = arousal = eq.labelled_arousal(
            arousal, labelling, self.control, p.labelling_calm_rate, p.labelling_untrained_share
        )
        self.learning_gate = gate = eq.learning_gate(arousal, p.gate_centre, p.gate_width)
        self.bond_avoidance = eq.avoidance_learned(
            avoidance,
            gate,
            surprise,
            self.inconsistency,
            brain.ofc,
            self.trust,
            p.plasticity,
            p.other_model_rate,
            p.safety_value_gain,
            p.inconsistency_typical,
            p.other_model_doubt_gain,
        )
        self.bond_anxiety = eq.anxiety_learned(
            anxiety,
            gate,
            surprise,
            self.inconsistency,
            brain.vmpfc,
            p.plasticity,
            p.self_model_rate,
            p.self_model_reliability_gain,
            p.self_model_surprise_gain,
            p.inconsistency_typical,
        )
        self.regulation = eq.regulation_learned(
            self.regulation,
            gate,
            labelling,
            brain.vmpfc,
            perceived,
            p.plasticity,
            p.regulation_rate,
            p.regulation_perceived_share,
            p.regulation_keep,
        )
        if self.role == "client":
            self.tension = eq.tension(self.tension, surprise, p.tension_keep)

    def remember(self) -> None:
        """Keep this exchange for the session's read-outs (in the order of ``_READ_OUTS``)."""
        self.moments.append(
            (
                self.mirrored,
                self.arousal,
                self.felt,
                self.conflict,
                self.separation,
                self.mentalising,
                self.felt_understanding,
                self.control,
                self.labelling,
                self.perceived,
                self.response,
                self.estimate,
                self.attunement,
                self.disclosure,
                self.expression,
                self.bid,
                self.warmth,
                self.learning_gate,
            )
        )

    # -- after a session

    def summarise(self) -> None:
        """Means of the session."""
        n = len(self.moments)
        self.means = dict(zip(_READ_OUTS, [sum(values) / n for values in zip(*self.moments, strict=True)], strict=True))

    def agree(self, capability: float, shared_meaning: float, progress: float) -> None:
        """Bond, task and goal: this person's view of the alliance."""
        p = self.p
        for name, own in (("task", self.model.task), ("goal", self.model.goal)):
            target = eq.agreement_target(
                capability,
                shared_meaning,
                self.trust,
                progress,
                own.agreement_base,
                own.agreement_capability_gain,
                own.capability_typical,
                own.agreement_meaning_gain,
                own.shared_meaning_typical,
                own.agreement_trust_gain,
                own.trust_typical,
                own.agreement_progress_gain,
            )
            setattr(self, name, eq.toward(getattr(self, name), target, p.agreement_rate))
        self.alliance = eq.alliance(self.bond, self.task, self.goal, self.moment)

    def grow_trust(self) -> None:
        """Trust follows what was perceived in the session."""
        p = self.p
        target = eq.trust_target(self.means["perceived"], p.trust_response_gain, p.perceived_typical, p.trust_typical)
        self.trust = eq.toward(self.trust, target, p.trust_rate)
        self.bond = self.felt_bond()

    def judge_session(self, both: float, own: float, open_rupture: float) -> None:
        """How good it was against what one is used to, and how that, and a rupture left open, colours the alliance today.

        Only then does one get used to sessions like this, and to weeks like this.
        """
        p, perceived = self.p, self.means["perceived"]
        luck = eq.partly_shared(both, own, p.quality_shared_share)
        better = eq.logit(perceived) - eq.logit(self.usual)
        bad_week = self.distress - self.distress_usual
        self.quality = p.quality_response_gain * better + p.quality_luck_sd * luck - p.quality_distress_cost * bad_week
        self.usual += p.usual_rate * (perceived - self.usual)
        self.distress_usual += p.usual_rate * bad_week
        self.moment = p.alliance_quality_gain * self.quality - p.rupture_alliance_cost * open_rupture

    def felt_bond(self) -> float:
        """Trust, as far as this person feels secure with the partner."""
        p = self.p
        return eq.felt_bond(  # type: ignore[no-any-return]
            self.trust, self.bond_anxiety, self.bond_avoidance, p.bond_security_gain, p.anxiety_typical, p.avoidance_typical
        )

    def consolidate(self) -> None:
        """The general model learns from where this bond is not what it expected, in part for good; training stays."""
        p = self.p
        trusted = 2.0 * eq.logistic(p.general_trust_gain * (eq.logit(self.trust) - eq.logit(p.trust_typical)))
        rate = p.plasticity * p.prototype_learning_rate * self.means["learning_gate"] * trusted
        for name in ("anxiety", "avoidance"):
            bond = getattr(self, f"bond_{name}")
            bond = eq.secured(bond, self.alliance, p.plasticity, p.alliance_security_rate, p.alliance_typical)
            gap = bond - self.expected_of_a_bond(name)
            setattr(self, f"bond_{name}", bond - p.session_carry_rate * gap)
            for what, lesson in ((name, rate * gap), (f"{name}_anchor", p.anchor_learning_share * self.sustained * rate * gap)):
                setattr(self, what, min(max(getattr(self, what) + lesson, 0.0), 1.0))
        self.sustained = eq.toward(self.sustained, self.trust, p.sustained_rate)
        self.regulation = min(max(self.regulation, 0.0), 1.0)

    # -- every week

    def live_a_week(self) -> None:
        """Life goes on: training fades, distress returns to its set point, attachment stirs, events happen."""
        p, model = self.p, self.model
        (z_distress, z_anxiety, z_avoidance, event_anxiety, event_avoidance, event, kind, blow) = model.life_luck(
            model.seed_code, model.replicate_code, self.code, model.week_code, model.life_purposes
        )
        self.regulation = max(self.regulation * (1.0 - p.plasticity * (1.0 - p.regulation_week_keep)), 0.0)
        before = self.distress
        happens = event <= p.life_event_prob
        drifted = eq.distress_drift(
            before,
            self.distress_set_point,
            z_distress,
            1.0 if happens else 0.0,
            blow,
            p.distress_return_rate,
            p.distress_state_share,
            p.life_event_prob,
            p.life_event_distress_share,
        )
        self.distress = min(max(drifted, -6.0), 8.0)
        self.anxiety = eq.prototype_drift(
            self.anxiety,
            self.anxiety_anchor,
            z_anxiety,
            before,
            *self.population("anxiety"),
            p.plasticity,
            p.anchor_rate,
            p.prototype_state_share,
            p.anxiety_distress_gain,
        )
        self.avoidance = eq.prototype_drift(
            self.avoidance,
            self.avoidance_anchor,
            z_avoidance,
            before,
            *self.population("avoidance"),
            p.plasticity,
            p.anchor_rate,
            p.prototype_state_share,
            p.avoidance_distress_gain,
        )
        if happens:
            for name, luck in (("anxiety", event_anxiety), ("avoidance", event_avoidance)):
                step = min(max(p.plasticity * p.life_event_sd * luck, -0.25), 0.25)
                if kind <= p.life_event_moves_prob:
                    setattr(self, name, eq.moved_share(getattr(self, name), step))
                if kind <= p.life_event_lasting_prob:
                    setattr(self, f"{name}_anchor", eq.moved_share(getattr(self, f"{name}_anchor"), step))
        self.follow_attachment()

    def follow_attachment(self) -> None:
        """Defences and the set point of distress follow attachment, measured against the community of clients."""
        p, q = self.p, self.model.parameters["client"]
        za = (self.anxiety - (q.anxiety_mean - 1.0) / 6.0) / (q.anxiety_sd / 6.0)
        zv = (self.avoidance - (q.avoidance_mean - 1.0) / 6.0) / (q.avoidance_sd / 6.0)
        self.immature = eq.defence(za, zv, p.immature_anxiety_path, p.immature_avoidance_path, 0.0) + self.immature_own
        self.neurotic = eq.defence(za, zv, p.neurotic_anxiety_path, 0.0, 0.0) + self.neurotic_own
        expected = eq.expected_distress(
            za,
            zv,
            self.immature,
            self.neurotic,
            p.distress_anxiety_path,
            p.distress_avoidance_path,
            p.distress_immature_path,
            p.distress_neurotic_path,
        )
        self.distress_set_point = min(max(self.distress_own + expected, -6.0), 8.0)


_READ_OUTS = (
    "mirrored",
    "arousal",
    "felt",
    "conflict",
    "separation",
    "mentalising",
    "felt_understanding",
    "control",
    "labelling",
    "perceived",
    "response",
    "estimate",
    "attunement",
    "disclosure",
    "expression",
    "bid",
    "warmth",
    "learning_gate",
)


class Therapist(Person):
    """The one who is to respond."""

    role = "therapist"

    def respond(self, timing_luck: float) -> None:
        """How well, and how timely."""
        p, client = self.p, self.partner
        response = eq.response(
            self.attunement,
            self.felt_understanding,
            self.warmth,
            self.habit_avoidance,
            self.trust,
            client.bid,
            timing_luck,
            p.response_base,
            p.response_attunement_gain,
            p.attunement_typical,
            p.response_felt_floor,
            p.felt_understanding_typical,
            p.response_warmth_gain,
            p.warmth_typical,
            p.response_trust_gain,
            p.response_reaching_cost,
            p.bid_enough,
            p.avoidance_typical,
            p.timing_lapse_cost,
            p.timing_lapse_threshold,
            p.timing_bid_gain,
        )
        self.response = eq.response_given(
            response, timing_luck, p.forced_response_share, p.forced_response_low, p.forced_response_high
        )

    def repair_chance(self, confronted: float) -> float:
        """Probability to repair a rupture in this exchange."""
        p, client = self.p, self.partner
        return eq.repair_probability(  # type: ignore[no-any-return]
            self.noticing,
            client.noticing,
            self.mentalising,
            self.attunement,
            self.habit_avoidance,
            client.disclosure,
            confronted,
            p.repair_base,
            p.repair_understanding_gain,
            p.repair_avoidance_cost,
            p.repair_confrontation_gain,
            p.repair_client_share,
            p.disclosure_typical,
            p.repair_disclosure_gain,
            p.repair_effort,
            p.avoidance_typical,
            0.0,  # nobody is trained here
        )


class Client(Person):
    """The one who comes for help, and the course of this therapy as seen from them."""

    role = "client"
    partner: Therapist

    def begin(self, therapist: Therapist, planned_sessions: float) -> None:
        """Meet for the first time."""
        model = self.model
        self.partner, therapist.partner = therapist, self
        self.planned_sessions = planned_sessions
        self.pair_code = np.uint64(pair([self.code], [therapist.code])[0])
        self.distress_intake = self.distress
        self.ending = "in therapy"
        self.engagement = DYAD["client_engagement"].start
        self.shared_meaning, self.capability = DYAD["shared_meaning"].start, DYAD["capability"].start
        self.open_rupture, self.session, self.dropout_risk = 0.0, 0.0, 0.0
        self.withdrawals = self.confrontations = self.repairs = self.deepest_rupture = 0.0

        def luck(name: str) -> float:
            return model.first_luck(model.seed_code, model.replicate_code, self.pair_code, purpose_code(name))

        match, sight = luck("match"), luck("impression")
        self.form_first_impression(match, sight, luck)
        therapist.form_first_impression(match, sight, luck)

    def attend(self) -> None:
        """One session, if still in therapy."""
        if self.ending != "in therapy":
            return
        therapist, model = self.partner, self.model
        self.come_in()
        therapist.come_in()
        self.session += 1.0
        self.open_rupture *= 1.0 - self.p.rupture_recovery
        self.withdrawals = self.confrontations = self.repairs = self.deepest_rupture = 0.0
        luck = np.empty((len(EXCHANGE_LUCK), model.n_exchanges))
        drop_chance, enough_chance, hour, mine, theirs = model.session_luck(
            model.seed_code, model.replicate_code, self.code, self.pair_code, model.week_code, model.session_purposes, luck
        )
        self.readings: list[tuple[float, float, float]] = []
        for number, draws in enumerate(zip(*luck.tolist(), strict=True)):
            self.exchange(number, *draws)
        self.summarise()
        therapist.summarise()
        self.judge_accuracy()
        self.judge_session(hour, mine, self.open_rupture)
        therapist.judge_session(hour, theirs, self.open_rupture)
        self.form_alliance()
        self.heal()
        self.consolidate()
        therapist.consolidate()
        self.perhaps_leave(drop_chance, enough_chance)

    def exchange(
        self,
        number: int,
        mirror: float,
        stress: float,
        guess: float,
        words: float,
        depth: float,
        strike: float,
        confront: float,
        repair: float,
        partner_mirror: float,
        partner_stress: float,
        partner_guess: float,
        partner_words: float,
        timing: float,
    ) -> None:
        """One exchange between the two."""
        therapist, p = self.partner, self.p
        self.fall_into_habits()
        therapist.fall_into_habits()  # before anybody reads the other
        self.sense(mirror, stress, guess)
        self.bid = eq.bid(
            self.arousal,
            self.habit_anxiety,
            self.habit_avoidance,
            p.arousal_typical,
            p.anxiety_typical,
            p.avoidance_typical,
            p.bid_arousal_gain,
            p.bid_anxiety_gain,
            p.bid_avoidance_cost,
        )
        self.show(words)
        therapist.sense(partner_mirror, partner_stress, partner_guess)
        self.readings.append((therapist.estimate, self.arousal, self.expression))
        therapist.show(partner_words)
        therapist.respond(timing)
        self.receive(self.compatibility)
        self.shared_meaning = eq.shared_meaning(
            self.shared_meaning, therapist.attunement, self.disclosure, self.arousal, p.shared_meaning_rate
        )
        self.response = eq.collaboration(
            self.disclosure,
            self.trust,
            self.engagement,
            p.collaboration_base,
            p.collaboration_disclosure_gain,
            p.disclosure_typical,
            p.collaboration_trust_gain,
            p.collaboration_engagement_gain,
            p.engagement_typical,
        )
        therapist.receive(therapist.compatibility)
        self.strain(number, depth, strike, confront, repair)
        self.remember()
        therapist.remember()

    def strain(self, number: int, depth_luck: float, strike: float, confront: float, repair: float) -> None:
        """Ruptures happen, likelier after disappointments and missed bids, and may be repaired in part: at once, or later."""
        p, tension = self.p, self.tension
        missed = self.bid * max(self.perceived_mean - self.perceived, 0.0)
        at_odds = max(eq.logistic(p.agreement_base) - self.task, 0.0)
        hazard = eq.logistic(
            p.hazard_base + p.hazard_tension_gain * tension + p.hazard_missed_gain * missed + p.hazard_task_gain * at_odds
        )
        breaks, confronts, depth = strike < hazard, False, 0.0
        if breaks:
            deeper = p.depth_tension_gain * tension + p.depth_anxiety_gain * (self.bond_anxiety - p.anxiety_typical)
            depth = eq.logistic(p.depth_base + p.depth_sd * depth_luck + deeper)
            confronts = confront < eq.confrontation_probability(
                self.bond_anxiety, self.bond_avoidance, p.confrontation_gain, p.anxiety_typical, p.avoidance_typical
            )
            self.tension = 0.0
            self.open_rupture += depth * (1.0 - self.open_rupture)
            self.deepest_rupture = max(self.deepest_rupture, depth)
            if confronts:
                self.confrontations += 1.0
            else:
                self.withdrawals += 1.0
        elif number > 0 or self.open_rupture <= p.repair_worth:
            return
        if repair < self.partner.repair_chance(1.0 if confronts else 0.0):
            mended = p.repaired_share * self.open_rupture
            self.repairs += 1.0
            self.open_rupture -= mended
            self.shift(p.repair_trust_step * mended, -p.repair_attachment_step * mended)
        elif breaks:
            self.shift(-p.rupture_trust_step * depth, p.rupture_attachment_step * depth)

    def shift(self, trust: float, insecurity: float) -> None:
        """A rupture or a repair moves trust, and how secure the client is with this therapist."""
        self.trust = eq.moved_share(self.trust, trust)
        self.bond_anxiety = eq.moved_share(self.bond_anxiety, self.p.plasticity * insecurity)
        self.bond_avoidance = eq.moved_share(self.bond_avoidance, self.p.plasticity * insecurity)

    def judge_accuracy(self) -> None:
        """How well the therapist read this client: correlation, level and bias, each by its definition."""
        n = len(self.readings)
        estimates, arousals, shown = zip(*self.readings, strict=True)
        self.directional_bias = sum(estimates) / n - sum(arousals) / n
        self.accuracy_level = 1.0 - sum(abs(e - a) for e, a in zip(estimates, arousals, strict=True)) / n

        def about_mean(values: tuple[float, ...]) -> list[float]:
            mean = sum(values) / n
            return [v - mean for v in values]

        e, a, x = about_mean(estimates), about_mean(arousals), about_mean(shown)
        spread, spread_x = n * n * sum(v * v for v in e) * sum(v * v for v in a), n * sum(v * v for v in x)
        varies = spread > 1e-12 and spread_x > (0.02 * n) ** 2  # nothing can be read in a face that hardly moves
        together = n * sum(i * j for i, j in zip(e, a, strict=True))
        self.tracking_accuracy = min(max(together / math.sqrt(spread), -1.0), 1.0) if varies else 0.0

    def form_alliance(self) -> None:
        """Bond, task and goal follow what the session was like, for both."""
        p, therapist = self.p, self.partner
        progress = self.distress_intake - self.distress
        self.grow_trust()
        therapist.grow_trust()
        capability = eq.capability_target(
            therapist.means["attunement"],
            progress,
            self.trust,
            p.capability_typical,
            p.capability_attunement_gain,
            p.attunement_typical,
            p.capability_progress_gain,
            p.capability_trust_gain,
            p.trust_typical,
        )
        self.capability = eq.toward(self.capability, capability, p.capability_rate)
        self.agree(self.capability, self.shared_meaning, progress)
        taking_part = p.capability_typical + therapist.means["perceived"] - therapist.p.perceived_typical
        therapist.agree(taking_part, self.shared_meaning, progress)
        engagement = eq.engagement_target(
            self.alliance,
            self.distress,
            p.engagement_base,
            p.engagement_alliance_gain,
            p.alliance_typical,
            p.engagement_distress_gain,
            p.distress_typical,
        )
        self.engagement = eq.toward(self.engagement, engagement, p.engagement_rate)
        for person in (self, therapist):
            person.impression *= 1.0 - p.impression_fade

    def heal(self) -> None:
        """Distress falls, or rises where a rupture is left open; part of it for good. A good session gives relief that fades."""
        p, therapist = self.p, self.partner
        healed = eq.healing(
            self.distress,
            self.alliance,
            self.engagement,
            self.means["labelling"],
            self.treatment_gain,
            therapist.treatment_gain,
            p.healing_rate,
            p.alliance_typical,
            p.healing_alliance_power,
            p.engagement_typical,
            p.labelling_typical,
            p.healing_labelling_share,
            p.healthy_distress,
            p.healing_reach,
        )
        for change in (-healed, eq.rupture_distress(self.open_rupture, p.rupture_distress_step)):
            lasting = p.healing_lasting_share * change
            self.distress = min(max(self.distress + change, -6.0), 8.0)
            self.distress_own += lasting
            self.distress_set_point = min(max(self.distress_set_point + lasting, -6.0), 8.0)
        self.distress = min(max(self.distress - p.relief_gain * self.quality, -6.0), 8.0)

    def perhaps_leave(self, drop_chance: float, enough_chance: float) -> None:
        """The planned end, dropping out, or being well enough."""
        p = self.p
        self.dropout_risk = eq.dropout_probability(
            self.alliance,
            self.engagement,
            self.open_rupture,
            self.bond_avoidance,
            self.session,
            p.dropout_base,
            p.dropout_alliance_gain,
            p.alliance_typical,
            p.dropout_engagement_gain,
            p.engagement_typical,
            p.dropout_rupture_gain,
            p.dropout_avoidance_gain,
            p.avoidance_typical,
            p.dropout_early_gain,
            p.dropout_early_fade,
            p.dropout_outside,
        )
        if self.session >= self.planned_sessions:
            self.ending = "planned"
        elif drop_chance <= self.dropout_risk:
            self.ending = "dropout"
        elif (
            self.distress < p.good_enough_distress
            and self.session >= p.good_enough_sessions
            and enough_chance <= p.good_enough_prob
        ):
            self.ending = "improved"


# ----------------------------------------------------------------------------------------------------------- model


class Therapy(mesa.Model):
    """A practice in which every client has a therapist of their own. One step is one week.

    It starts from the people of a ``World`` that has not begun, so that the draw of the population is shared.
    """

    def __init__(self, world: World) -> None:
        super().__init__(seed=world.luck.seed)
        p = world.parameters
        self.parameters = {role: numbers_of(role, p) for role in ("client", "therapist")}
        self.task, self.goal = numbers_of("task", p), numbers_of("goal", p)
        self.brains = {
            role: SimpleNamespace(**{region: world.strengths[f"{role}_{region}"] for region in REGIONS})
            for role in ("client", "therapist")
        }
        self.n_exchanges = world.n_exchanges
        self.seed_code, self.replicate_code = np.uint64(world.luck.seed), np.uint64(world.luck.replicate)
        self.session_luck, self.life_luck = compiled(_session_luck), compiled(_life_luck)
        self.first_luck = compiled(_first_luck)
        self.session_purposes = np.array([purpose_code(name) for name in (*EXCHANGE_LUCK, *_SESSION_LUCK)])
        self.life_purposes = np.array([purpose_code(name) for name in _LIFE_LUCK])
        self.week_code = np.uint64(0)
        client_rows, therapist_rows = (
            [dict(zip(PERSON, values, strict=True)) for values in people.data.T.tolist()]
            for people in (world.clients, world.therapists)
        )
        for i, (c, t) in enumerate(zip(world.client_of, world.therapist_of, strict=True)):
            client = Client(self, world.client_code[c], client_rows[c])
            client.begin(Therapist(self, world.therapist_code[t], therapist_rows[t]), float(world.planned_sessions[i]))
        self.clients, self.therapists = self.agents_by_type[Client], self.agents_by_type[Therapist]

    def step(self) -> None:
        """A session for everybody in therapy, then a week of life for everybody."""
        self.week_code = np.uint64(self.steps)
        self.clients.do("attend")
        self.agents.do("live_a_week")


_OF_PERSON = (
    "distress",
    "distress_set_point",
    "distress_own",
    "immature",
    "neurotic",
    "immature_own",
    "neurotic_own",
    "anxiety",
    "avoidance",
    "anxiety_anchor",
    "avoidance_anchor",
    "regulation",
    "skill",
    "warmth_trait",
    "treatment_gain",
    "fatigue",
)
_OF_BOND = {
    "anxiety": "bond_anxiety",
    "avoidance": "bond_avoidance",
    "general_anxiety": "brought_anxiety",
    "general_avoidance": "brought_avoidance",
    **{
        name: name
        for name in (
            "arousal",
            "expression",
            "disclosure",
            "said",
            "perceived",
            "perceived_mean",
            "inconsistency",
            "trust",
            "sustained",
            "compatibility",
            "impression",
            "distress_usual",
            "usual",
            "quality",
            "moment",
            "bond",
            "task",
            "goal",
            "alliance",
        )
    },
}
_OF_COURSE = (
    "client_engagement",
    "shared_meaning",
    "capability",
    "client_tension",
    "open_rupture",
    "deepest_rupture",
    "withdrawals",
    "confrontations",
    "repairs",
    "session",
    "distress_intake",
    "dropout_risk",
    "tracking_accuracy",
    "accuracy_level",
    "directional_bias",
)


def person_columns(model: Therapy, role: str) -> dict[str, np.ndarray]:
    """The people of one role, under the names that the core gives to these columns."""
    people = list(model.clients if role == "client" else model.therapists)
    return {name: np.array([getattr(a, name) for a in people], float) for name in _OF_PERSON}


def dyad_columns(model: Therapy) -> dict[str, np.ndarray]:
    """The courses of therapy, under the names that the core gives to these columns (after at least one week)."""
    clients = list(model.clients)
    out = {name: np.array([getattr(c, name.removeprefix("client_")) for c in clients], float) for name in _OF_COURSE}
    for role, people in (("client", clients), ("therapist", [c.partner for c in clients])):
        out |= {f"{role}_{name}": np.array([getattr(a, own) for a in people], float) for name, own in _OF_BOND.items()}
        out |= {
            f"mean_{role}_{name}": np.array([a.means[name] for a in people], float)
            for name in _READ_OUTS
            if f"mean_{role}_{name}" in DYAD
        }
    return out
