"""The kinds of attack, by the name that the table shows; how often one is tried is in proportion to its weight."""

from tests.campaign.attacks.attack import Attack
from tests.campaign.attacks.company import Deletion, TwoRuns
from tests.campaign.attacks.corruptions import InputCorruption, StateCorruption
from tests.campaign.attacks.full_disk import FullDisk
from tests.campaign.attacks.hostile import Hostile
from tests.campaign.attacks.interruptions import Interruption
from tests.campaign.attacks.names import Names, Seeds, Streams
from tests.campaign.attacks.permissions import ReadOnly
from tests.campaign.attacks.requests import Requests

ALL: tuple[type[Attack], ...] = (
    Interruption,
    FullDisk,
    ReadOnly,
    InputCorruption,
    StateCorruption,
    Hostile,
    Names,
    Streams,
    Seeds,
    TwoRuns,
    Deletion,
    Requests,
)
BY_KIND = {attack.kind: attack for attack in ALL}
