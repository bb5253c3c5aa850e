"""What a mechanism, a policy, a programme, a matching rule or a worker of one's own is made of (docs/EXTENDING.md).

>>> from sim.extend import Policy
>>> Policy("listen more", {}, {"skill": 0.05}, "assumption").adds
{'skill': 0.05}
"""

from sim.batch.workers import OnCluster as OnCluster
from sim.batch.workers import OnExecutor as OnExecutor
from sim.catalogue.measures import Measure as Measure
from sim.measures.outcomes import Block as Block
from sim.measures.outcomes import add_outcome as add_outcome
from sim.people.state import Column as Column
from sim.theory.parameters import Parameter as Parameter
from sim.theory.steps import Draw as Draw
from sim.theory.steps import Step as Step
from sim.theory.steps import step as step
from sim.therapy.clinic.matching import MATCHING as MATCHING
from sim.therapy.clinic.matching import Seen as Seen
from sim.therapy.clinic.matching import by_score as by_score
from sim.therapy.exchange import client as client
from sim.therapy.exchange import therapist as therapist
from sim.therapy.policies import POLICIES as POLICIES
from sim.therapy.policies import Policy as Policy
from sim.therapy.training import PROGRAMMES as PROGRAMMES
from sim.therapy.training import Programme as Programme
from sim.therapy.verbs import Verb as Verb

__all__ = [name for name in dir() if not name.startswith("_")]


def __dir__() -> list[str]:
    return __all__
