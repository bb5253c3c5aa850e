"""The report as a document: what it says of claims, chance and assumptions is so; it cites, can be redone, and stands alone."""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

import sim
from sim import measures
from sim.errors import ScenarioError
from sim.evidence import stored
from sim.evidence.claims import verdicts
from sim.evidence.claims.contrasts import contrasts
from sim.measures import contrasts as contrasts_of
from sim.report.drawing import DECLARED
from sim.report.figures import chosen
from sim.report.pages import run as report
from sim.report.text import excludes_zero, number, with_interval
from sim.report.words import answer, captions
from sim.report.words import basis as involved
from sim.report.words import caveats as doubts
from sim.scenario.scenario import Scenario
from sim.simulation.tables import Run
from sim.storage import store
from sim.storage.schema import manifest_text
from sim.theory.claims import claims, claims_of, sources
from sim.theory.parameters import LEVELS, OF_ATTACHMENT, PARAMETERS
from sim.theory.triangle import CORNERS
from sim.therapy.interventions import Forced

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted((ROOT / "scenarios").glob("*.yaml"))
ARMS = {"usual": {}, "leave": {"policies": ["leave_ruptures_alone"]}, "waiting": {"therapist": "none"}}
SMALL: dict[str, Any] = {"question": "Does it pay?", "clients_per_arm": 24, "sessions": 8, "arms": ARMS}


def scenario(**changes: Any) -> Scenario:
    """A small scenario: repair as usual, no repair, no therapy."""
    return sim.from_spec({**SMALL, **changes}, "small")


def two(**second: Any) -> Scenario:
    """A scenario whose second arm differs from the first by what is given."""
    return scenario(arms={"first": {}, "second": second})


@lru_cache(maxsize=None)
def a_run() -> Run:
    """The small scenario, run once."""
    return sim.run(scenario(), seed=2)


@lru_cache(maxsize=None)
def crossed_run() -> Run:
    """Two kinds of client with two kinds of therapist."""
    kinds = {"design": "crossed", "client": ["secure", "fearful"], "therapist": ["secure", "dismissing"]}
    return sim.run(scenario(arms={}, record={"exchanges": {"clients": [0]}}, **kinds), seed=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder with its report."""
    place = tmp_path_factory.mktemp("report") / "out"
    return store.save(a_run(), place, report=report.write_report)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    """The report's HTML without the figures."""
    return re.sub(r'src="data:[^"]*"', 'src=""', (folder / "report.html").read_text(encoding="utf-8"))


def ids(wanted: Scenario) -> list[str]:
    """Claims that are shown as involved."""
    return [one.claim.id for one in involved.involved(wanted)]


# ------------------------------------------------------------------------------------------------------- the answer


@pytest.mark.parametrize("run", [a_run, crossed_run])
def test_answer_is_short_and_its_numbers_are_the_measures(run: Any) -> None:
    said = answer.paragraph(run())
    assert said.startswith("In this model, ") and len(said.split(" ")) <= 135
    for contrast in contrasts_of.alliance_contrasts(run()):
        assert with_interval(contrast.found) in said


def test_contrast_of_arms_is_the_paired_difference() -> None:
    (c,) = contrasts_of.alliance_contrasts(a_run())
    late = measures.by_arm(a_run(), "alliance")
    assert c.high != c.low and late[c.high].mean() >= late[c.low].mean()
    assert c.found["mean"] == pytest.approx(float((late[c.high] - late[c.low]).mean()))


def test_contrast_of_kinds_averages_over_the_others() -> None:
    clients, therapists = contrasts_of.alliance_contrasts(crossed_run())
    assert (clients.role, therapists.role) == ("client", "therapist") and {clients.high, clients.low} == {"secure", "fearful"}
    late = measures.by_arm(crossed_run(), "alliance")
    mean = {who: np.mean([v.mean() for arm, v in late.items() if who in arm]) for who in ("secure client", "fearful client")}
    assert clients.n == 24  # a client with two therapists is one person
    assert abs(clients.found["mean"]) == pytest.approx(abs(mean["secure client"] - mean["fearful client"]))
    secure, other = ([v for arm, v in late.items() if f"{kind} therapist" in arm] for kind in ("secure", "dismissing"))
    paired = np.concatenate([a.to_numpy() - b.to_numpy() for a, b in zip(secure, other, strict=True)])
    assert abs(therapists.found["mean"]) == pytest.approx(abs(paired.mean())) and therapists.n == paired.size


def test_the_interaction_is_told_first_where_the_scenario_asks_for_it() -> None:
    """Whatever the question says: the key decides, and only in a crossed design."""
    asked = sim.run(crossed_run().scenario.but(report="interaction"), seed=2)
    worded = sim.run(crossed_run().scenario.but(question="What do two do together, beyond each of them?"), seed=2)
    assert answer.paragraph(asked).startswith("In this model, together two insecure partners")
    assert answer.paragraph(worded) == answer.paragraph(crossed_run()) != answer.paragraph(asked)
    with pytest.raises(ScenarioError, match="report: 'interaction' belongs to 'design: crossed'; this one is 'arms'"):
        scenario(report="interaction")


def test_sizes_have_words() -> None:
    assert [answer.size_word(x, 1.0) for x in (0.05, -0.15, 0.3, 0.6, 2.0)] == [word for _, word in answer.SIZES]


def test_what_cannot_be_told_apart_is_not_called_higher() -> None:
    same = sim.run(two(parameters={"rating_session_sd": 0.25}), seed=2)
    (c,) = contrasts_of.alliance_contrasts(same)
    assert not excludes_zero(c.found) and "hardly differs between the arms" in answer.paragraph(same)
    assert any("includes zero" in said for said in doubts.sampling(same))


def test_distress_is_told_of_one_arm_not_of_a_mean_over_what_was_done() -> None:
    run = sim.run(two(lesions={"therapist.insula": 0}), seed=2)
    people = run.clients[run.clients["arm"] == "first"]
    fall = number(-float((people["distress_end"] - people["distress_0"]).mean()), 1)
    said = [one for one in answer.in_detail(run) if one.startswith("From intake")]
    assert len(said) == 1 and f"in “first” by {fall}" in said[0]


# ------------------------------------------------------------------------------------------------------- verdicts


def test_verdicts_are_those_that_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str) -> None:
    kept = {row["contrast"]: row["verdict"] for row in stored.kept("claims")["findings"]}
    said = verdicts.said()
    mine = {c.id: kept[c.id] for c in contrasts(["A7"])}
    good = sum(v == "reproduced" for v in mine.values())
    assert said["A7"].startswith(f"reproduced in {good} of {len(mine)} contrasts")
    assert all(name in said["A7"] for name, verdict in mine.items() if verdict != "reproduced")
    text = html.unescape(page)
    shown = [one.claim.id for one in involved.involved(a_run().scenario)]
    assert all(f"<strong>In this model:</strong> {said[c]}." in text for c in shown if c in said) and "docs/CLAIMS.md" in text
    monkeypatch.setattr(stored, "path_of", lambda name: tmp_path / f"{name}.json")
    assert verdicts.said() == {}
    without = report.write_report(a_run(), tmp_path).read_text(encoding="utf-8")
    assert "<strong>In this model:" not in without and "docs/CLAIMS.md" not in without


def test_verdicts_in_words() -> None:
    assert verdicts.sentence({"a": "reproduced"}) == "reproduced in 1 of 1 contrast"
    found = {"a": "reproduced", "b": "not reproduced", "c": "weaker than stated", "d": "not reproduced"}
    assert verdicts.sentence(found) == "reproduced in 1 of 4 contrasts; not reproduced: b, d; weaker than stated: c"


# -------------------------------------------------------------------------------------------------- claims involved


def test_changed_number_puts_claims_of_its_equations_to_work() -> None:
    assert ids(two(policies=["leave_ruptures_alone"]))[0] == "K14"
    assert set(ids(two(parameters={"labelling_calm_rate": 0.1}))) >= {"K16", "K20"}
    assert ids(two(parameters={"client_other_model_rate": 0.1}))[0] in claims_of("avoidance_learned")
    rate = ids(two(parameters={"trust_rate": 0.3}))  # taken by no equation: a rate with which trust follows its target
    assert set(rate) == set(claims_of("trust_target")) >= {"K4", "K18"}


def test_lesion_names_the_claims_of_the_region_and_of_what_it_contains() -> None:
    assert {"K7", "K9"} <= set(ids(two(lesions={"therapist.insula": 0})))
    whole = involved.levers(two(lesions={"client.medial_prefrontal": 0}))
    assert {lever.name for lever in whole} == {"client_dmpfc", "client_vmpfc"}


def test_attachment_brings_the_claims_about_it_and_single_styles_only_where_they_take_part() -> None:
    therapists = ids(two(therapist="dismissing"))
    assert therapists[0] == "K14" and {"K13", "A9", "A7"} <= set(therapists) and "A3" not in therapists
    fearful = ids(scenario(client="fearful", arms={}))
    assert "A3" in fearful and not {"A2", "A4", "A5"} & set(fearful)
    assert "A4" in ids(scenario(client={"anxiety": 2, "avoidance": 6}, arms={}))


def test_policy_that_moves_a_column_leads_to_the_equations_that_take_it() -> None:
    (lever,) = involved.levers(two(policies=["train_empathic_accuracy"]))
    assert (lever.kind, lever.name) == ("column", "skill")
    assert [f.__name__ for f in involved.equations_of(lever)] == ["mentalising"]


def test_interventions_lead_to_their_step() -> None:
    def levers_of(**said: Any) -> tuple[involved.Lever, ...]:
        plain = two()
        return involved.levers(plain.model_copy(update={"arms": (plain.arms[0], plain.arms[1].model_copy(update=said))}))

    for said, equation in (
        ({"switch_off": ("client.anxiety_learned",)}, "anxiety_learned"),
        ({"switch_off": ("heal",)}, "heal"),
        ({"cut": {"therapist.response.warmth": 0.5}}, "response"),
        ({"clamp": {"client_arousal": 0.0}}, "arousal"),
        ({"force": (Forced(0.6, "therapist_response"),)}, "response_given"),
        ({"cut": {"client.felt_bond.trust": 0.5}}, "felt_bond"),
        ({"clamp": {"client_bond": 0.0}}, "felt_bond"),
    ):
        (lever,) = levers_of(**said)
        assert lever.differs and equation in [f.__name__ for f in involved.equations_of(lever)], said
    (corner,) = levers_of(clamp={"alliance": 1.0})
    assert "K23" in involved._weights(corner, two())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_every_claim_shown_is_named_by_the_equations_it_is_shown_with(path: Path) -> None:
    wanted = sim.load(path)
    shown = involved.involved(wanted)
    assert len(shown) <= involved.MOST_CLAIMS and bool(shown) == bool(involved.levers(wanted))
    corner = any(lever.name in CORNERS for lever in involved.levers(wanted))
    for one in shown:
        read_off = one.levers == ("eeg_noise_sd",) and one.claim.id in ("K19", "K26")  # no equation, an instrument
        assert one.through or (corner and one.claim.id == "K23") or read_off
        assert all(one.claim.id in claims_of(name) for name in one.through), one.claim.id
    assert [one.weight for one in shown] == sorted((one.weight for one in shown), reverse=True)
    also = {claim.id for claim in involved.also_at_work(wanted)}
    assert not also & {one.claim.id for one in shown}
    assert also | {one.claim.id for one in shown} >= {c.id for c in claims().values() if c.kind == "mechanism"}


def test_nothing_set_nothing_involved() -> None:
    assert involved.involved(scenario(arms={})) == [] and involved.assumptions(scenario(arms={})) == []
    alone = involved.also_at_work(scenario(arms={}, therapist="none"))
    assert "A8" in {c.id for c in alone} and "K9" not in {c.id for c in alone}


# -------------------------------------------------------------------------------------------------- what would change


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_numbers_listed_are_assumptions_and_each_once(path: Path) -> None:
    rows = involved.assumptions(wanted := sim.load(path))
    assert bool(rows) == bool(involved.levers(wanted))
    assert len(rows) <= involved.MOST_PARAMETERS and len({row.name for row in rows}) == len(rows)
    assert "life_event_moves_prob" not in {row.name for row in rows}  # read off a study
    for row in rows:
        if row.name in PARAMETERS:
            assert PARAMETERS[row.name].status in ("assumption", "calibrated")
            assert row.value.replace("−", "-").startswith(f"{PARAMETERS[row.name].default:g}")


def test_levels_are_declared_beside_the_parameters() -> None:
    """Which assumptions are centres, levels or noise is data; the names keep to it."""
    endings = ("_base", "_offset", "_sd", "_typical", "_mean", "_start")
    assumed = {n.name for n in PARAMETERS.values() if n.status in ("assumption", "calibrated")}
    assert {name for name in assumed if name.endswith(endings)} == LEVELS
    assert assumed - LEVELS >= OF_ATTACHMENT


def test_numbers_that_the_arms_change_come_first_with_their_values() -> None:
    first, second, *rest = involved.assumptions(
        two(policies=["leave_ruptures_alone", "train_warmth"]),
    )
    assert (first.name, first.value) == ("repair_effort", "1; 0 in “second”")
    assert "warmth trait" in second.name and second.value == "+0.4 in “second”"
    assert {"response_warmth_gain", "repaired_share"} <= {row.name for row in rest}


def test_chance_says_what_n_would_halve_the_interval() -> None:
    (c,) = contrasts_of.alliance_contrasts(a_run())
    assert any(f"seed ({a_run().seed})" in said for said in doubts.sampling(a_run()))
    assert c.half == pytest.approx(c.found["high"] - c.found["mean"])
    wide = contrasts_of.Contrast("usual", "leave", {"mean": 1.0, "low": 0.8, "high": 1.2}, 24)
    (said,) = doubts.of_a_contrast(a_run(), wide)
    assert "20 % of the difference" in said and "96 in each arm" in said
    unclear = contrasts_of.Contrast("usual", "leave", {"mean": 0.5, "low": -0.5, "high": 1.5}, 24)
    assert "about 96 clients in each arm would show it" in doubts.of_a_contrast(a_run(), unclear)[0]  # (1 / 0.5)^2 times 24
    assert doubts.rounded_up(1234) == 1300 and doubts.rounded_up(7) == 7


def test_design_says_what_it_decides() -> None:
    crossed = " ".join(doubts.design(crossed_run()))
    assert "equally frequent" in crossed and "no untreated arm" in crossed and "copies of one person" in crossed
    arms = " ".join(doubts.design(a_run()))
    assert "no untreated arm" not in arms and "copies" not in arms and "no follow-up" in arms


def test_conflicts_are_the_disputed_notes_and_the_published_share() -> None:
    shown = involved.involved(crossed_run().scenario)
    said = doubts.conflicts(crossed_run(), shown)
    assert [s.partition(":")[0] for s in said[:-1]] == [one.claim.id for one in shown if one.claim.disputed]
    assert "2-3 %" in said[-1]
    assert not any("2-3 %" in s for s in doubts.conflicts(a_run(), []))  # arms that do not differ in attachment


# ---------------------------------------------------------------------------------------- reproducing and citing


def test_scenario_in_the_report_makes_the_same_run_again(page: str, folder: Path, tmp_path: Path) -> None:
    text = html.unescape(re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.S)[1])
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    again = sim.load(tmp_path / "small.yaml")
    manifest = YAML(typ="safe").load((folder / "manifest.json").read_text())
    assert store.run_id(again, 2) == manifest["id"]
    assert page.count(manifest["id"]) >= 3 and "attune run small.yaml --seed 2" in page


def test_origin_is_that_of_the_manifest_and_of_no_other(folder: Path, tmp_path: Path) -> None:
    for place in (folder, folder / "beside"):
        assert report.origin(a_run(), place)["id"] == store.run_id(a_run().scenario, 2)
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    older = manifest_text({**(said := json.loads(text)), "versions": {**said["versions"], "attune": "9.0"}})
    (tmp_path / "manifest.json").write_text(older, encoding="utf-8")
    assert report.origin(a_run(), tmp_path)["version"].startswith("9.")  # made by another version: the manifest's counts
    assert report.origin(crossed_run(), tmp_path)["version"] == sim.__version__  # somebody else's manifest


def test_citation_is_that_of_the_citation_file(page: str) -> None:
    facts = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert facts["title"] == report.PROGRAM["title"] and facts["version"] == sim.__version__
    assert [author["name"] for author in facts["authors"]] == [report.PROGRAM["authors"]]
    assert f"(c) {report.PROGRAM['year']} " in (ROOT / "LICENSE").read_text(encoding="utf-8")
    for part in (report.PROGRAM["title"], report.PROGRAM["authors"], f"({report.PROGRAM['year']})"):
        assert part in page


def test_sources_of_claims_and_numbers_are_cited_with_their_doi(page: str) -> None:
    wanted = a_run().scenario
    cited = report.cited(involved.involved(wanted), involved.assumptions(wanted))
    assert "kim2018" in {s.key for s in cited} and "millerbottome2018" in {s.key for s in cited}
    for source in cited:
        assert f'id="source-{source.key}"' in page
        if source.doi:
            assert f'href="https://doi.org/{source.doi}">https://doi.org/{source.doi}</a>' in page
    assert set(re.findall(r'href="https://doi.org/([^"]+)"', page)) <= {s.doi for s in sources().values()}


# ------------------------------------------------------------------------------------------------------ for everybody


class Outline(HTMLParser):
    """Headings in order, ids, places that links go to, and which tags stand where."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))


def test_headings_landmarks_and_links_hold_together(page: str) -> None:
    found = Outline(page)
    names = [tag for tag, _ in found.tags]
    assert found.levels[0] == 1 and found.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(found.levels, found.levels[1:], strict=False))
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    assert ("html", {"lang": "en"}) in found.tags
    every = [a["id"] for _, a in found.tags if "id" in a]
    assert len(every) == len(set(every))
    for tag, attributes in found.tags:
        for target in (attributes[name] or "" for name in ("href", "aria-labelledby") if name in attributes):
            assert target.startswith("https://doi.org/") or target.removeprefix("#") in every, target
        assert tag != "th" or attributes.get("scope") in ("col", "row")
    first_link = next(a for tag, a in found.tags if tag == "a")
    assert first_link == {"class": "skip", "href": "#answer"}


def test_contents_stand_in_order(page: str) -> None:
    order = ("answer", "figures", "table", "claims", "change", "guards", "again", "cite")
    places = [page.index(f'<h2 id="{name}"') for name in order]
    assert places == sorted(places)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of a colour such as #4a4a4a."""
    digits = colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_is_dark_enough_on_every_ground(page: str) -> None:
    style = page[page.index("<style>") : page.index("</style>")]
    inks = set(re.findall(r"[^-]color: (#\w+)", style))
    grounds = set(re.findall(r"background: (#\w+)", style))
    assert len(inks) >= 3 and len(grounds) >= 3
    for ink in inks:
        for ground in grounds:
            assert (luminance(ground) + 0.05) / (luminance(ink) + 0.05) >= 4.5, (ink, ground)


def test_print_opens_what_is_folded_and_hides_what_only_a_screen_needs(page: str) -> None:
    paper = page[page.index("@media print") : page.index("</style>")]
    for rule in ("details::details-content", "content-visibility: visible", "break-inside: avoid", "nav { display: none"):
        assert rule in paper


def test_every_figure_is_declared_once_with_its_words() -> None:
    """A figure whose words are missing, or words of no figure, would be left out in silence."""
    assert sorted(chosen.words()) == sorted(DECLARED)
    for name, said in chosen.words().items():
        assert {"title", "caption", "seen"} <= set(said), name
        assert set(said.get("instead", {}).get("of", ())) <= set(chosen.USUAL), name


def test_figures_say_in_words_what_is_to_be_seen(page: str) -> None:
    table = measures.pairings(a_run()).set_index("arm")
    alliance = captions.of_figure(a_run(), "alliance_by_pairing")["seen"]
    assert f"{table.loc['usual', 'wai']:.2f}" in alliance and "usual" in alliance
    assert f"{100 * table.loc['leave', 'dropout']:.0f}" in captions.of_figure(a_run(), "still_attending")["seen"]
    distress = captions.of_figure(a_run(), "distress_course")["seen"]
    waiting = a_run().assessments.query("arm == 'waiting' and month == 2")["distress"].mean()
    assert f"{waiting:.1f}" in distress
    assert "exchanges, from first to last" in captions.of_figure(crossed_run(), "one_session")["seen"]
    for tag, attributes in Outline(page).tags:
        if tag == "img":
            assert re.search(r"\d", attributes["alt"] or "") and "nan" not in (attributes["alt"] or "")
