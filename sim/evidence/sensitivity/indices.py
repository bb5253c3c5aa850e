"""What a sensitivity analysis finds: a row a parameter, what can be said of it, and how far sampling noise alone goes."""

from __future__ import annotations

from dataclasses import dataclass

from sim.evidence.sensitivity.ranges import Range


@dataclass(frozen=True)
class Screened:
    """Elementary effects of one parameter: change of the measure (its unit) as the parameter goes over its whole range.

    ``mu``: mean; ``mu_star``: mean of absolute values, ``mu_star_error`` half its bootstrap 95 % interval; ``sigma``: SD, large
    where the parameter interacts with others or acts in a curve. ``noise``: half the 95 % interval (Student's t) of one
    elementary effect over seeds; a ``mu_star`` that is not above it could be made by sampling noise alone. It is strict with few
    seeds."""

    name: str
    mu: float
    mu_star: float
    mu_star_error: float
    sigma: float
    noise: float

    @property
    def verdict(self) -> str:
        """What can be said of the parameter."""
        if self.mu_star == 0:
            return "moves nothing here"
        if self.mu_star <= self.noise:
            return "not distinguishable from sampling noise"
        if abs(self.mu) < 0.9 * self.mu_star:
            return "moves it, up or down"
        return "raises it" if self.mu > 0 else "lowers it"


@dataclass(frozen=True)
class Shared:
    """A parameter's proportion of the measure's variance over the ranges, with half the bootstrap 95 % intervals.

    ``first``: alone (S1); ``total``: with all its interactions (ST). ``noise``: what sampling noise adds to ``total`` in
    expectation."""

    name: str
    first: float
    first_error: float
    total: float
    total_error: float
    noise: float

    @property
    def verdict(self) -> str:
        """What can be said of the parameter."""
        if self.total == 0:
            return "moves nothing here"
        if self.total <= self.noise:
            return "not distinguishable from sampling noise"
        if self.total - self.total_error <= self.noise:
            return "undecided with so few samples"
        apart = self.total - self.total_error > self.first + self.first_error
        return "moves it, also with others" if apart else "moves it"


@dataclass(frozen=True)
class Noise:
    """How far sampling noise moves the measure at the points of a design (its unit), where points are means over ``replicates``
    seeds.

    ``seed_sd``: SD between seeds at one point; ``error``: standard error of a point's mean; ``output_sd``: SD between points.
    ``share``: proportion of the variance between points that is noise which shared seeds do not cancel.
    """

    points: int
    seeds: int
    seed_sd: float
    error: float
    output_sd: float = float("nan")
    share: float = float("nan")


@dataclass(frozen=True)
class Sensitivity:
    """What was found; ``noise`` at the base point ("base") and at the points of each design ("morris", "sobol")."""

    ranges: tuple[Range, ...]
    seed: int
    replicates: int
    trajectories: int
    samples: int
    base: float
    morris: tuple[Screened, ...]
    sobol: tuple[Shared, ...]
    noise: dict[str, Noise]
    runs: int
