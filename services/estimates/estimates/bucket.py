"""The bucket that models are uploaded to: the only module that asks S3."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 16 * 1024 * 1024
"""Octets that are asked for at a time: as much as is lost when a connection breaks, and as much as is in memory."""


class Overwritten(Exception):
    """Something else lies there by now, which has an event of its own."""


class Incomplete(Exception):
    """S3 gave less than was asked for. The next attempt may go better."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An object, as it was when its event was sent.

    Attributes:
        bucket, key: where it is.
        size: in octets.
        etag: of what was uploaded: nothing else is read, even if it lies there meanwhile.
        sequencer: which of two uploads of one key came later.
    """

    bucket: str
    key: str
    size: int
    etag: str
    sequencer: str


class ModelsBucket:
    """Reads uploads, part by part.

    Args:
        s3: S3 client.
    """

    def __init__(self, s3: "S3Client") -> None:
        self._s3 = s3

    def parts(self, upload: Upload) -> Iterator[bytes]:
        """The object's octets, in order.

        Raises:
            Overwritten: another one has taken its place.
            Incomplete: a part was cut off.
            ClientError, BotoCoreError: S3 does not give it.
        """
        for begin in range(0, upload.size, PART):
            end = min(begin + PART, upload.size)
            try:
                part = self._s3.get_object(
                    Bucket=upload.bucket, Key=upload.key, Range=f"bytes={begin}-{end - 1}", IfMatch=f'"{upload.etag}"'
                )["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] == "PreconditionFailed":
                    raise Overwritten from None
                raise
            if len(part) != end - begin:
                raise Incomplete("a part is not as long as was asked for")
            yield part
