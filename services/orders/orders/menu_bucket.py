"""The bucket that menus come in by. Nothing else knows where in it reports lie."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REPORTS = "reports/"
"""What lies below triggers nothing: the rule in the template leaves it out."""


class MenuBucket:
    """Files that were put into the bucket, and what is reported of them.

    Args:
        s3: an S3 client.
        name: the bucket.
    """

    def __init__(self, s3: "S3Client", name: str) -> None:
        self._s3, self._name = s3, name

    def read(self, key: str, version_id: str, most: int) -> bytes:
        """The content of one version of a file: whatever was put there since is another version.

        Args:
            key: the file.
            version_id: the version.
            most: how many bytes; of a larger file one more comes back, and nothing behind that is fetched.
        """
        body = self._s3.get_object(Bucket=self._name, Key=key, VersionId=version_id)["Body"]
        with body:
            return body.read(most + 1)

    def report(self, key: str, version_id: str, report: Mapping[str, Any]) -> None:
        """Say what is wrong with a version of a file, in a place of its own: saying it again changes nothing.

        Args:
            key: the file.
            version_id: the version.
            report: what is wrong.
        """
        said = {"key": key, "version_id": version_id, **report}
        self._s3.put_object(
            Bucket=self._name,
            Key=report_key(key, version_id),
            Body=json.dumps(said, indent=2).encode(),
            ContentType="application/json",
        )


def report_key(key: str, version_id: str) -> str:
    """Where the report on a version of a file lies. A key has 1,024 bytes at most (S3 user guide, "Naming objects")."""
    file = key.encode()[:512].decode(errors="ignore")
    return f"{REPORTS}{file}/{version_id[:256]}.json"
