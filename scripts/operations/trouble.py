"""What went wrong between a command and a stack, in one line that says what to do about it."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from laptop import EmulatorError

TROUBLE = (EmulatorError, ClientError, BotoCoreError)
"""What a command that works on a stack may meet, whatever else it may."""

# AWS's words for credentials that it does not take (any more); each service has its own choice of them.
_NOT_TAKEN = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_SIGN_IN = "sign in again (aws sso login), or name a profile: PROFILE=, --profile"


class NotReached(EmulatorError):
    """There is no such stack, or it is another's; the message says what to do."""


class Outputs(dict[str, str]):
    """A stack's outputs, of which one that is missing is told by name.

    Args:
        outputs: as CloudFormation has them.
        where: the stack, as a sentence calls it.
    """

    def __init__(self, outputs: dict[str, str], where: str) -> None:
        super().__init__(outputs)
        self._where = where

    def __missing__(self, name: str) -> str:
        raise NotReached(
            f"{self._where} has no output {name}: it is another's stack, of another version, or without that service"
        )


def plain(error: BaseException) -> str:
    """One line about an error, with what to do where that is known.

    Args:
        error: one of `TROUBLE`, or any other.
    """
    said = " ".join(str(error).split()).rstrip(".")
    match error:
        case NoRegionError():
            return "No region is set: say which, REGION=eu-central-1 (--region), or name a profile that has one"
        case InvalidRegionError():
            return f"{said}: a region is called such as eu-central-1"
        case ProfileNotFound():
            return f"{said}: `aws configure list-profiles` shows those that there are"
        case NoCredentialsError() | PartialCredentialsError():
            return f"There are no whole AWS credentials here: {_SIGN_IN}"
        case CredentialRetrievalError() | SSOError() | TokenRetrievalError():
            return f"{said}: {_SIGN_IN}"
        case ClientError() if error.response["Error"]["Code"] in _NOT_TAKEN:
            return f"AWS does not take these credentials ({error.response['Error']['Code']}): {_SIGN_IN}"
        case EndpointConnectionError():
            return f"{said}: is the region right, and is there a network?"
    # The laptop's errors may show a log's last lines, and those are worth their lines.
    return str(error) if isinstance(error, EmulatorError) else said
