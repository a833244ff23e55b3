"""Given identities against the embeddings: one person under two names, strangers among a person's photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .clustering import Labels

MOST_NAMED = 5
LEAST_IMAGES = 3
LEAST_ALIKE = 4


@dataclass(frozen=True, slots=True)
class GivenPeople:
    """What the embeddings say of identities that were given.

    Attributes:
        links: pairs of given identities with images of one person, which belong into one split.
        warnings: by name, in words.
    """

    links: tuple[tuple[int, int], ...]
    warnings: tuple[str, ...]


def check_given_people(
    labels: Labels, clusters: Labels, *, names: Sequence[str], keys: Sequence[str]
) -> GivenPeople:
    """Compare given identities with the clusters of the embeddings. The given ones are believed, and told.

    Two identities whose most images are in one cluster seem to be one person. An image in the cluster of
    another identity seems to show that one; one in a cluster of its own, where the identity has three images
    or more and most are in one cluster, seems to show somebody else. Where one cluster holds four identities
    and more than half of all, the embeddings tell nobody apart, as of pictures without faces, and nothing is
    linked.

    Args:
        labels: given identity of every image, (N,).
        clusters: identity by average linkage of the embeddings, (N,).
        names: given name of every image's person.
        keys: of the images.
    """
    name_of = dict(zip(labels.tolist(), names, strict=True))
    counts: dict[int, Counter[int]] = {}
    members: dict[int, set[int]] = {}
    for label, cluster in zip(labels.tolist(), clusters.tolist(), strict=True):
        counts.setdefault(label, Counter())[cluster] += 1
        members.setdefault(cluster, set()).add(label)
    alike = max((len(inside) for inside in members.values()), default=0)
    if alike >= LEAST_ALIKE and 2 * alike > len(counts):
        warning = (
            f"the embeddings do not tell {alike} of {len(counts)} given identities apart; they are believed"
        )
        return GivenPeople((), (warning,))
    main = {label: min(found, key=lambda c: (-found[c], c)) for label, found in counts.items()}
    owners: dict[int, list[int]] = {}
    for label, cluster in main.items():
        owners.setdefault(cluster, []).append(label)
    links = [pair for inside in members.values() for pair in pairwise(sorted(inside))]
    twice = [
        " and ".join(repr(name_of[label]) for label in sorted(found))
        for _, found in sorted(owners.items())
        if len(found) > 1
    ]
    strangers, alone = [], []
    for key, label, cluster in zip(keys, labels.tolist(), clusters.tolist(), strict=True):
        if cluster == main[label]:
            continue
        if cluster in owners:
            whose = " and ".join(repr(name_of[owner]) for owner in sorted(owners[cluster]))
            strangers.append(f"{key} of {name_of[label]!r} looks like {whose}")
        elif counts[label].total() >= LEAST_IMAGES and 2 * counts[label][main[label]] > counts[label].total():
            alone.append(f"{key} of {name_of[label]!r}")
    one_side = "; they stay in one split (overrides, split: parts them)"
    warnings = [
        _told("given identities that seem to be one person", twice, one_side),
        _told("images that seem to show another given identity", strangers, one_side),
        _told("images far from all others of their given identity, perhaps of another person", alone, ""),
    ]
    return GivenPeople(tuple(sorted(set(links))), tuple(text for text in warnings if text))


def _told(what: str, found: Iterable[str], then: str) -> str:
    found = list(found)
    more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{what}: {', '.join(found[:MOST_NAMED])}{more}{then}" if found else ""
