"""Taking a menu in: read one version of a file, judge it whole, and let it take effect in one write, or say why not."""

from dataclasses import dataclass
from typing import Literal

from orders.menu_bucket import MenuBucket
from orders.menu_rules import MOST_BYTES, MenuRefused, judged, restaurant_of
from orders.menus import MenuStore


@dataclass(frozen=True)
class MenuFile:
    """One version of a file in the bucket.

    Attributes:
        key: its name.
        version_id: which version.
        size: its bytes.
        order: when it was put there, as far as it counts: see `tiffin.sequencers.in_order`.
    """

    key: str
    version_id: str
    size: int
    order: str


@dataclass(frozen=True)
class Outcome:
    """What became of a file.

    Attributes:
        kind: `taken`; `overtaken` if this file, or one that was put there later, is in effect already; `refused`, with
            a report; or `no-file`, which a folder is that a console made.
        restaurant_id: whose menu, if it is known.
        menu_version: of the menu, if it is one.
        faults: how many things were wrong.
    """

    kind: Literal["taken", "overtaken", "refused", "no-file"]
    restaurant_id: str | None = None
    menu_version: str | None = None
    faults: int = 0


class Intake:
    """The use case.

    Args:
        bucket: where files come from, and reports go.
        menus: the menus table.
    """

    def __init__(self, bucket: MenuBucket, menus: MenuStore) -> None:
        self._bucket, self._menus = bucket, menus

    def take(self, file: MenuFile) -> Outcome:
        """Take a menu in. However often and in whatever order files come, the latest sound one is in effect.

        Args:
            file: which.
        """
        # The S3 console stands for a folder by an empty object (S3 user guide, "Organizing objects by using folders").
        if file.key.endswith("/"):
            return Outcome("no-file")
        restaurant_id = None
        try:
            restaurant_id = restaurant_of(file.key, file.size)
            menu = judged(self._bucket.read(file.key, file.version_id, MOST_BYTES), restaurant_id)
        except MenuRefused as refused:
            self._bucket.report(file.key, file.version_id, refused.report())
            return Outcome("refused", restaurant_id, faults=len(refused.faults))
        taken = self._menus.replace(menu, file.order, file.version_id)
        return Outcome("taken" if taken else "overtaken", restaurant_id, menu.version)
