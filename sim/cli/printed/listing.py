"""What the command line lists: the plan of a scenario, the parameters of the model, policies, and what a clinic can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sim.batch.progress import told_seconds
from sim.files import disk_at
from sim.scenario.points import told
from sim.scenario.scenario import Arm, Scenario
from sim.scenario.sweep import Range
from sim.screen import Head, table
from sim.simulation.build import arm_parameters, arm_weeks
from sim.simulation.limits import GIB
from sim.simulation.machine import memory_here
from sim.simulation.tables import Run
from sim.theory.parameters import Parameter
from sim.therapy.clinic.matching import meaning, rule_names
from sim.therapy.clinic.plan import Plan
from sim.therapy.policies import POLICIES
from sim.therapy.training import PROGRAMMES

if TYPE_CHECKING:
    from sim.batch.plan import Plan as BatchPlan
    from sim.screen import Table


def _changes(arm: Arm) -> str:
    """What an arm does beyond the usual, in words."""
    changes = [f"{k}={v:g}" for k, v in arm_parameters(arm).changes().items()]
    changes += [f"{k} x {v:g}" for k, v in arm.lesions.items()]
    changes += arm.interventions.in_words()
    if arm.clinic is not None:
        usual = {name: key.default for name, key in Plan.model_fields.items()}
        usual["intake_weeks"] = arm.clinic.weeks
        changes += [f"{name}: {_said(v)}" for name, v in arm.clinic if v != usual[name] and name != "weeks"]
    return ", ".join([*arm.policies, *changes]) or "-"


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else " + ".join(value) if isinstance(value, tuple) else str(value)


def expected_clients(scenario: Scenario, arm: Arm) -> int:
    """Clients of an arm and replicate; in a clinic how many come on average."""
    plan = arm.clinic
    return scenario.clients_per_arm if plan is None else round(plan.arrivals_per_week * plan.intake_weeks)


def plan_of(scenario: Scenario) -> Table:
    """What a scenario would run, a row an arm."""
    each = sorted({expected_clients(scenario, arm) for arm in scenario.arms})
    who = f"{each[0]:,}" if len(each) == 1 else f"{each[0]:,} to {each[-1]:,}"
    about = "about " if scenario.design == "clinic" else ""
    title = f"{len(scenario.arms)} arm(s), {about}{who} clients each, {scenario.replicates} replicate(s)"
    batch = scenario.batch
    addresses = [*batch.vary, *(address for case in batch.cases.values() for address in case)] if batch is not None else []
    # an address inside what is shown varies it too, as therapist.anxiety does
    varied = {".".join(parts[: i + 1]) for parts in (address.split(".") for address in addresses) for i in range(len(parts))}

    def cell(arm: Arm, key: str, value: object) -> object:
        """What stands in the file, or that the batch varies it."""
        return "varied" if {key, f"arms.{arm.name}.{key}"} & varied else value

    rows = [
        (arm.name, cell(arm, "client", arm.client.label),
         cell(arm, "therapist", "none" if arm.therapist is None else arm.therapist.label),
         cell(arm, "sessions", arm.sessions), cell(arm, "sessions", arm_weeks(scenario, arm)), _changes(arm))
        for arm in scenario.arms
    ]  # fmt: skip
    return table(title, ("arm", "client", "therapist", "sessions", "weeks", "changed"), rows, quiet=True)


#: Factors' levels and points are listed up to here.
MOST_LISTED = 12


def needs_of(rows: Mapping[str, int], memory: float, disk: float, folder: Path, seconds: float) -> str:
    """How large tables are at most, and what they need here, in one sentence each."""
    tables = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
    room = f"Needs about {bytes_told(memory)} of memory (there is {bytes_told(memory_here())})"
    place = f"{bytes_told(disk)} on the disk ({bytes_told(disk_at(folder))} are free at {folder})"
    return f"Rows at most: {tables or 'none'}.\n{room} and {place}; takes about {told_seconds(seconds)} where nothing else runs."


def bytes_told(n: float) -> str:
    """Bytes as people say them."""
    return f"{n / GIB:,.1f} GiB" if n >= GIB else f"{max(n / 2.0**20, 1.0):.0f} MiB"


def batch_of(plan: BatchPlan) -> str:
    """What a batch varies and how often it is repeated, in a few lines."""
    scenario, batch, n = plan.scenario, plan.batch, len(plan.points)
    lines = [f"A batch ({batch.design.replace('_', ' ')}) of {n:,} point{'s' if n != 1 else ''}:"]
    for name, factor in batch.vary.items():
        if isinstance(factor, Range):
            steps = f" in {factor.steps} steps" if factor.steps else ""
            lines.append(
                f"  {name}: {told(factor.low)} to {told(factor.high)}{steps}{' (log scale)' if factor.scale == 'log' else ''}"
            )
        else:
            more = f", ... ({len(factor.values)} levels)" if len(factor.values) > MOST_LISTED else ""
            lines.append(f"  {name}: {', '.join(told(level) for level in factor.values[:MOST_LISTED])}{more}")
    for name, changes in list(batch.cases.items())[:MOST_LISTED]:
        lines.append(f"  {name}: {', '.join(f'{k} = {told(v)}' for k, v in changes.items()) or 'as it stands'}")
    courses = plan.sizes.rows["clients"]
    if batch.until is None:
        tasks = sum(plan.blocks) * scenario.replicates
        times = f"{scenario.replicates} time{'s' if scenario.replicates != 1 else ''}"
        lines.append(f"Each repeated {times}: {tasks:,} tasks, {courses * scenario.replicates:,} courses in all.")
    else:
        u = batch.until
        what = f"{'the difference in ' if u.difference else ''}{u.measure}{f' in {u.arm}' if u.arm else ''}"
        fewest, most = (f"{sum(plan.blocks) * n:,}" for n in (u.every, u.most))
        lines.append(f"Each repeated until the standard error of {what} is at most {u.se:g} (seen every {u.every} replicates, "
                     f"at most {u.most}):")  # fmt: skip
        lines.append(f"{fewest} to {most} tasks, {courses * u.every:,} to {courses * u.most:,} courses in all.")
    lines.append(f"Kept: summaries{''.join(f', {name}' for name in batch.keep)}. A task is one replicate of one point, all arms.")
    return "\n".join(lines)


def sizes_of(scenario: Scenario) -> str:
    """How much a scenario (of a batch: one point) would simulate, in one sentence."""
    courses, most, n = 0, 0, scenario.ensemble
    for arm in scenario.arms:
        clients = expected_clients(scenario, arm) * scenario.replicates
        courses += clients
        if arm.therapist is not None:
            wanted, clinic = clients * arm.sessions, arm.clinic
            most += wanted if clinic is None else min(wanted, clinic.most_places * clinic.weeks * scenario.replicates)
    said = f"{courses:,} courses" if scenario.design != "clinic" else f"About {courses:,} clients"
    return f"{said}, at most {most:,} sessions." + (
        f" All this is done {n + 1} times and takes about {n + 1} times as long: with the default parameters, and with "
        f"{n} parameter sets that agree with the published evidence, of which only the measures of the arms are kept."
        if n
        else ""
    )


def intervals_of(run: Run) -> list[Table]:
    """Sampling and parameter uncertainty, where the scenario asks for the ensemble; of many rows the differences only."""
    from sim.report.words import uncertainty as answer_ensemble

    if not len(run.ensemble):
        return []
    heads, rows = answer_ensemble.heads_and_rows(run, answer_ensemble.MOST_PRINTED)
    return [table("Sampling and parameter uncertainty (two kinds of interval; *: outside of it)", heads, rows)]


def parameters_of(chosen: Sequence[Parameter]) -> list[Table]:
    """Parameters of the model, a table a group."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for n in chosen:
        row = (n.name, f"{n.default:g}", f"{n.low:g}..{n.high:g}", n.unit, n.status, n.source or "-", n.meaning)
        groups.setdefault(n.group, []).append(row)
    heads: list[str | Head] = [
        *(Head(name, wrap=False) for name in ("name", "default", "range")),
        "unit",
        "status",
        "source",
        "meaning",
    ]
    return [table(group, heads, rows) for group, rows in groups.items()]


def policies() -> Table:
    """What therapists can be told to do."""
    rows = []
    for name, policy in POLICIES.items():
        changes = [f"{k} = {v:g}" for k, v in policy.parameters.items()]
        changes += [f"therapist's {k} {v:+g}" for k, v in policy.adds.items()]
        rows.append((name, policy.meaning, ", ".join(changes), policy.source))
    return table("policies: what therapists can be told to do", ("name", "meaning", "what it changes", "source"), rows)


def clinic() -> list[Table]:
    """Keys of ``clinic:``, matching rules and programmes."""
    keys = [
        (name, "all" if key.default_factory else _said(key.default) or "none", str(key.description))
        for name, key in Plan.model_fields.items()
    ]
    rules = [(name, meaning(name)) for name in rule_names()]
    taught = []
    for name, programme in PROGRAMMES.items():
        learned = [f"{k} {v:+g}" for k, v in programme.learned.items()]
        weekly = [f"{k} {v:+g} every week" for k, v in programme.each_week.items()]
        taught.append((name, programme.meaning, ", ".join([*learned, *weekly]), f"{programme.weeks} weeks", programme.source))
    return [
        table("clinic: how it is run", ("key", "default", "meaning"), keys),
        table("matching: who meets whom", ("rule", "meaning"), rules),
        table("training: supervision and programmes", ("name", "meaning", "what it adds", "takes", "source"), taught),
    ]
