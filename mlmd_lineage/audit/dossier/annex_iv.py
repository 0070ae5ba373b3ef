"""The points of Annex IV of the EU AI Act, and what a record in MLMD shows of each.

Regulation (EU) 2024/1689 of 13 June 2024, Annex IV: the technical documentation that Article 11(1)
asks for. The titles are short forms, not its text. No claim is made that a dossier meets it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from mlmd_lineage.audit.dossier.gathering import deployments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Mapping[str, Any]

STATEMENT = (
    "This document repeats what one metadata store says. It is no technical documentation in the "
    "sense of Article 11 of Regulation (EU) 2024/1689, and no claim of compliance is made: it "
    "shows for each point of Annex IV what the record holds, and what has to come from elsewhere."
)

ARTICLES: tuple[tuple[str, str, str], ...] = (
    (
        "Article 12",
        "Record-keeping",
        (
            "asks for events that a system in operation logs by itself. A store of MLMD records "
            "how a model was made and deployed, not what the running system did: those logs are "
            "elsewhere."
        ),
    ),
    (
        "Article 18",
        "Documentation keeping",
        (
            "asks the provider to keep the technical documentation for ten years. This document, "
            "and a signed bundle of the record behind it, can be kept and read without the store."
        ),
    ),
    (
        "Article 19",
        "Automatically generated logs",
        "asks the provider to keep the logs of Article 12. They are not in this record.",
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class AnnexPoint:
    """A point of Annex IV.

    Attributes:
        number: Its number there.
        title: A short form of its title.
        cannot: What a record in MLMD cannot show of it.
        shows: Returns what the record shows, in words; nothing where it shows nothing.
        sections: The sections of the dossier that hold it.
    """

    number: str
    title: str
    cannot: str
    shows: Callable[[Facts], list[str]]
    sections: tuple[str, ...] = ()


def rows(dossier: Facts) -> list[dict[str, Any]]:
    """Return the points, each with what a dossier's sections show of it."""
    return [
        {
            "point": point.number,
            "title": point.title,
            "shows": [text for text in point.shows(dossier) if text],
            "cannot": point.cannot,
            "sections": list(point.sections),
        }
        for point in POINTS
    ]


def _nothing(_: Facts) -> list[str]:
    return []


def _general(dossier: Facts) -> list[str]:
    model = dossier["model"]
    steps = {step["node"]: step for step in dossier["steps"]}
    made = [steps[node] for node in model["produced_by"] if node in steps]
    told = [
        f"{model['type'] or 'artifact'} {model['node']} at {model['uri'] or 'no recorded place'}"
    ]
    told += [
        f"made by {step['name']} of the run {step['run']} of {step['pipeline']}" for step in made
    ]
    told += [
        f"registered as {one['model']}, version {one['version']}" for one in model["registrations"]
    ]
    return told


def _versions(dossier: Facts) -> list[str]:
    found = {
        f"{name} {value}"
        for step in dossier["steps"]
        for name, value in step["environment"].items()
        if "version" in name
    }
    return sorted(found)


def _market(dossier: Facts) -> list[str]:
    deployed = len(deployments_of(dossier))
    return [_count(deployed, "recorded deployment")] if deployed else []


def _process(dossier: Facts) -> list[str]:
    steps = dossier["steps"]
    coded = sum(bool(step["code"]) for step in steps)
    told = [f"{_count(len(steps), 'step')} with parameters, inputs and outputs"] if steps else []
    told += [f"the version of the code of {coded:,} of them"] if coded else []
    used = [one for one in dossier["models_above"] if one]
    told += (
        [f"{_count(len(used), 'model')} that it was made from: {', '.join(used)}"] if used else []
    )
    return told


def _computing(dossier: Facts) -> list[str]:
    known = sum(bool(step["environment"]) for step in dossier["steps"])
    return [f"the environment of {_count(known, 'step')}, and when each ran"] if known else []


def _data(dossier: Facts) -> list[str]:
    data = dossier["data_sets"]
    if not data:
        return []
    origins = sum(one["origin"]["kind"] != "unknown" for one in data)
    spans = sum(bool(one["spans"]) for one in data if not one["missing"])
    digests = sum(bool(one["digests"]) for one in data if not one["missing"])
    return [
        _count(len(data), "data set"),
        f"the origin of {origins:,}, spans or splits of {spans:,}, digests of {digests:,}",
    ]


def _testing(dossier: Facts) -> list[str]:
    metrics = dossier["metrics"]
    values = sum(len(row["values"]) for row in metrics)
    told = (
        [f"{_count(len(metrics), 'evaluation')} with {_count(values, 'value')}"] if metrics else []
    )
    approvals = dossier["approvals"]
    return told + ([_count(len(approvals), "recorded approval")] if approvals else [])


def _changes(dossier: Facts) -> list[str]:
    told = ["the run, the parameters and the data of this version"] if dossier["steps"] else []
    if dossier["comparison"] is not None:
        told.append(f"what differs from {dossier['comparison']['model']['node']}")
    return told


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


POINTS: tuple[AnnexPoint, ...] = (
    AnnexPoint(
        "1(a)",
        "Intended purpose, provider, version and its relation to earlier ones",
        "The purpose of the system and who provides it.",
        _general,
        ("model",),
    ),
    AnnexPoint(
        "1(b)",
        "Interaction with hardware or software that is not part of the system",
        "How the system is built around the model.",
        _nothing,
    ),
    AnnexPoint(
        "1(c)",
        "Versions of relevant software and firmware",
        "All that the platform did not record, such as drivers and libraries.",
        _versions,
        ("steps",),
    ),
    AnnexPoint(
        "1(d)",
        "Forms in which the system is put on the market or into service",
        "Deployments that no pipeline made, and products that hold the model.",
        _market,
        ("downstream",),
    ),
    AnnexPoint(
        "1(e) to 1(h)",
        "Hardware it runs on, pictures of products, user interface, instructions for use",
        "All of it.",
        _nothing,
    ),
    AnnexPoint(
        "2(a)",
        "Methods and steps of development, pre-trained systems and tools of others",
        "Why these methods were chosen; what was done outside of the pipeline.",
        _process,
        ("steps",),
    ),
    AnnexPoint(
        "2(b)",
        "Design: logic, algorithms, key choices, what is optimised",
        "The design and its reasons; parameters of training are among the steps.",
        _nothing,
        ("steps",),
    ),
    AnnexPoint(
        "2(c)",
        "Architecture and computing resources of development, training and testing",
        "The architecture; resources that the platform did not record.",
        _computing,
        ("steps",),
    ),
    AnnexPoint(
        "2(d)",
        "Data: training data sets, their provenance, scope, selection, labelling, cleaning",
        "What the data holds, how it was obtained, selected, labelled and cleaned before.",
        _data,
        ("data",),
    ),
    AnnexPoint("2(e)", "Human oversight (Article 14)", "All of it.", _nothing),
    AnnexPoint("2(f)", "Changes that were determined beforehand", "All of it.", _nothing),
    AnnexPoint(
        "2(g)",
        "Validation and testing: procedures, data, metrics, logs, reports signed by persons",
        "The procedures; signed reports; values that are in files, and not in the record.",
        _testing,
        ("evaluation", "approvals"),
    ),
    AnnexPoint("2(h)", "Cybersecurity measures", "All of it.", _nothing),
    AnnexPoint(
        "3",
        "Monitoring, functioning and control; capabilities, limits, foreseeable outcomes",
        "All of it: the record ends where the running system begins.",
        _nothing,
    ),
    AnnexPoint(
        "4",
        "Appropriateness of the performance metrics",
        "Whether the metrics are the right ones; those that were recorded are listed.",
        _testing,
        ("evaluation",),
    ),
    AnnexPoint("5", "Risk management system (Article 9)", "All of it.", _nothing),
    AnnexPoint(
        "6",
        "Relevant changes made through the lifecycle",
        "Why something was changed, and changes outside of the pipeline.",
        _changes,
        ("comparison",),
    ),
    AnnexPoint("7", "Harmonised standards that were applied", "All of it.", _nothing),
    AnnexPoint("8", "EU declaration of conformity (Article 47)", "All of it.", _nothing),
    AnnexPoint(
        "9",
        "Post-market monitoring (Article 72)",
        "The plan and what was observed; what came from the model is listed.",
        lambda dossier: (
            [_count(len(dossier["downstream"]), "node") + " that came from the model"]
            if dossier["downstream"]
            else []
        ),
        ("downstream",),
    ),
)
