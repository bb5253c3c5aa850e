"""What a mechanism, a policy, a programme, a matching rule or a worker of one's own is made of (docs/EXTENDING.md).

>>> from sim.extend import Policy
>>> Policy("listen more", {}, {"skill": 0.05}, "assumption").adds
{'skill': 0.05}
"""

from __future__ import annotations

from sim.batch.workers import OnCluster, OnExecutor
from sim.catalogue.measures import Measure
from sim.engine.wiring import Step
from sim.measures.outcomes import Block, add_outcome
from sim.people.state import Column
from sim.theory.parameters import Parameter
from sim.therapy.clinic.matching import MATCHING, Seen, by_score
from sim.therapy.exchange import client, therapist
from sim.therapy.policies import POLICIES, Policy
from sim.therapy.training import PROGRAMMES, Programme

__all__ = [
    "MATCHING",
    "POLICIES",
    "PROGRAMMES",
    "Block",
    "Column",
    "Measure",
    "OnCluster",
    "OnExecutor",
    "Parameter",
    "Policy",
    "Programme",
    "Seen",
    "Step",
    "add_outcome",
    "by_score",
    "client",
    "therapist",
]


def __dir__() -> list[str]:
    return list(__all__)
