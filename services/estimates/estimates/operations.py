"""Use cases: an order gets its estimate, and an upload becomes the model in force."""

import hashlib

from tiffin.unmendable import Unmendable

from estimates.bucket import ModelsBucket, Overwritten, Upload
from estimates.model import AcceptedOrder, minutes
from estimates.model_file import HEADER, Header
from estimates.models import Models
from estimates.store import Estimate, EstimateStore


class Damaged(Unmendable):
    """A model's content is not what its digest says."""


def estimate(models: Models, store: EstimateStore, order_id: str, customer_id: str, order: AcceptedOrder) -> bool:
    """Predict how long an order takes, and keep it.

    Args:
        models: where the model is.
        store: where estimates are kept.
        order_id: whose estimate it is.
        customer_id: who ordered, and may see it.
        order: what is known of it.

    Returns:
        Whether it is new: an order has one estimate, the first.

    Raises:
        NoModel: there is none yet.
        UnusableModel, NoNumber: there is one that nothing can be predicted with.
    """
    predicted = minutes(models.current(), order)
    return store.keep(
        Estimate(
            order_id=order_id,
            customer_id=customer_id,
            restaurant_id=order.restaurant_id,
            minutes=predicted,
            accepted_at=order.accepted_at,
        )
    )


def take_over(bucket: ModelsBucket, models: Models, upload: Upload) -> bool:
    """Make an upload the model in force, once all of it is here and proves to be what it says.

    Args:
        bucket: where it was uploaded to.
        models: where it shall be.
        upload: which.

    Returns:
        Whether it is in force now; not if it is already, if a later one is, or if another one was uploaded meanwhile.

    Raises:
        UnusableModel, Damaged: it will never be one. All is as it was.
        Incomplete, ClientError, OSError: another attempt may go better. All is as it was.
    """
    if models.has(upload.sequencer):
        return False
    try:
        _copy(bucket, models, upload)
    except Overwritten:
        return False
    return True


def _copy(bucket: ModelsBucket, models: Models, upload: Upload) -> None:
    # What shows in the first octets is not worth a copy of gigabytes.
    parts = bucket.parts(upload)
    first = next(parts, b"")
    header = Header(first[:HEADER], upload.size)
    said = header.metadata.get("sha256", "")
    if not said:
        raise Damaged("it has no digest: __metadata__.sha256")
    with models.taking_over(upload.sequencer) as file:
        digest = hashlib.sha256(first[header.data :])
        file.write(first)
        for part in parts:
            digest.update(part)
            file.write(part)
        if digest.hexdigest() != said:
            raise Damaged("its digest is another one")
