"""The one vocabulary of brain regions: the kernel, lesions, tables and pages all read it from here.

A region of this model is a *component named after a brain region*; its activity is a number in 0..1
that an equation computes, not a measurement. A lesion scales the component's output (1 = intact,
0 = removed).
"""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("client", "therapist")
#: Sites of the simulated EEG and what lies under each in the model (``evidence/imaging.py``).
SITES: dict[str, str] = {
    "prefrontal": "the person's prefrontal components",
    "parietal": "the person's temporoparietal junction",
    "occipital": "the partner's face, as shown: what is seen",
    "temporal": "nothing of the model: electrode noise alone, the negative control",
}


@dataclass(frozen=True)
class Region:
    """One region: its short name, what it is called, what it does in the model, where EEG would see it."""

    name: str
    title: str
    process: str
    site: str  # EEG site under which it lies: prefrontal, parietal or none (it lies too deep, or no claim names a site)
    claims: tuple[str, ...]
    above_all: str = ""  # the part of it that the literature speaks of most

    @property
    def full_title(self) -> str:
        """What it is called, with the part that is meant above all."""
        return f"{self.title} ({self.above_all})" if self.above_all else self.title


REGIONS: dict[str, Region] = {
    r.name: r
    for r in (
        Region("mirror", "mirror system", "maps the other's expression onto one's own",
               "none", ("K8", "K9", "K17")),
        Region("limbic", "limbic system", "raises arousal under threat and by resonance",
               "none", ("K7", "K9", "K16", "K20"), "amygdala"),
        Region("insula", "anterior insula", "turns mirrored expression and own arousal into a felt signal",
               "none", ("K7", "K9")),
        Region("acc", "anterior cingulate cortex", "registers that something went other than expected",
               "prefrontal", ("K7", "K24")),
        Region("tpj", "right temporoparietal junction", "keeps one's own arousal apart from the other's",
               "parietal", ("K7", "K19")),
        Region("dmpfc", "dorsal medial prefrontal cortex", "mentalises: works out what the signal means",
               "prefrontal", ("K9", "K24")),
        Region("vmpfc", "ventral medial prefrontal cortex",
               "makes the felt signal count: in the response given, and in the expectation of the self",
               "prefrontal", ("K9", "K12", "K24")),
        Region("ofc", "orbitofrontal cortex", "applies trained regulation to social affect, values safety, knows this person",
               "prefrontal", ("K16", "K24")),
        Region("vlpfc", "right ventrolateral prefrontal cortex", "puts feelings into words",
               "prefrontal", ("K20", "K24")),
    )
}

#: Regions that contain others: a lesion of the whole is a lesion of each part.
CONTAINS: dict[str, tuple[str, ...]] = {
    "middle_prefrontal": ("acc", "dmpfc", "vmpfc", "ofc", "vlpfc"),
    "medial_prefrontal": ("dmpfc", "vmpfc"),
}


def intact() -> dict[str, float]:
    """Every region of both people at full strength: ``{"client_mirror": 1.0, ...}``."""
    return {f"{role}_{region}": 1.0 for role in ROLES for region in REGIONS}


def lesion_names() -> tuple[str, ...]:
    """All names a scenario may use under ``lesions:``, such as ``client.vlpfc``."""
    return tuple(f"{role}.{region}" for role in ROLES for region in (*REGIONS, *CONTAINS))


def lesioned(lesions: dict[str, float]) -> dict[str, float]:
    """Region strengths after lesions such as ``{"client.middle_prefrontal": 0.5}``; overlapping lesions multiply."""
    strength = intact()
    for name, scale in lesions.items():
        role, _, region = name.partition(".")
        for part in CONTAINS.get(region, (region,)):
            strength[f"{role}_{part}"] *= scale
    return strength
