"""What a person is told of an error of AWS without which a command cannot go on: in one line, with the next step."""

from collections.abc import Mapping

from botocore.exceptions import (
    ClientError,
    ConfigParseError,
    ConnectionError,  # noqa: A004 - botocore's
    CredentialRetrievalError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
    UnknownEndpointError,
)

from driftline.collectors.aws.api.errors import DENIED, ERRORS, trouble
from driftline.pipeline.common.errors import NotThere, Problem, UserError

__all__ = ["ERRORS", "explained", "user_error"]
SET = "set AWS_PROFILE or the standard AWS variables, or use --profile"
LOG_IN = "log in again (aws sso login), or renew the credentials"
CODE_STEPS: Mapping[str, str] = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"), LOG_IN),
    **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"),
                    "this access key is not known there, or disabled: correct AWS_PROFILE or the standard AWS variables"),
    **dict.fromkeys(("SignatureDoesNotMatch", "IncompleteSignature", "IncompleteSignatureException"),
                    "correct the secret access key"),
    **dict.fromkeys(("RequestTimeTooSkewed", "InvalidSignatureException"), "set this machine's clock; then correct the secret access key"),
    **dict.fromkeys(("AccessDenied", "AccessDeniedException"), "give the caller this right: driftline permissions aws; and does a role's trust name it?"),
    "OptInRequired": "enable this region for the account, or choose others: --regions",
    "RegionDisabledException": "enable the region of the credentials in the account's settings",
}  # fmt: skip
"""By AWS's code, what a person does about it."""
KIND_STEPS: Mapping[type[Exception], str] = {
    ParamValidationError: "correct what is named there",
    InvalidRegionError: "write a region such as eu-west-1: AWS_REGION, or region in the profile",
    UnknownEndpointError: "write a region such as eu-west-1: AWS_REGION, or region in the profile",
    SSOError: LOG_IN,
    TokenRetrievalError: LOG_IN,
    NoCredentialsError: SET,
    PartialCredentialsError: SET,
    ProfileNotFound: "write a profile of your AWS configuration: --profile, or AWS_PROFILE",
    NoRegionError: "set AWS_REGION, or region in the profile",
    CredentialRetrievalError: "correct the profile's source of credentials",
    SSLError: "is AWS_CA_BUNDLE right, or does a proxy answer in the place of AWS?",
    ProxyConnectionError: "is HTTPS_PROXY right?",
    ConfigParseError: "correct that file",
    HTTPClientError: "is this machine connected, are the region and AWS_ENDPOINT_URL (if set) right, and is a proxy needed?",
    ConnectionError: "is this machine connected, are the region and AWS_ENDPOINT_URL (if set) right, and is a proxy needed?",
}  # fmt: skip
"""By the kind of an error that is no answer of AWS; the first that fits."""
PASSING = (HTTPClientError, ConnectionError)
"""What is not an answer, and may be one a little later. (Credentials, names and certificates mend nothing by waiting.)"""


def user_error(error: Exception, what: str = "", step: str = "") -> UserError:
    """For a command that cannot go on without AWS: NotThere where AWS may answer later. `what` was tried, and the next
    step where AWS says no."""
    lasting = isinstance(error, SSLError | ProxyConnectionError)
    passes = isinstance(error, PASSING) and not lasting
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passes = status >= 500 or trouble(error).reason == "throttled"
    return (NotThere if passes else UserError)(explained(error, what, step))


def explained(error: Exception, what: str = "", step: str = "") -> Problem:
    """What a person is told of an error of AWS, in one line with the next step. `what` was tried; `step`: the next one
    where AWS says no, for what is not known better here."""
    text = " ".join(str(error).split())
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        code, message = str(answer.get("Code") or "Unknown"), " ".join(str(answer.get("Message") or "").split())  # fmt: skip
        text = f"{error.operation_name} answered {code}: {message}" if message else f"{error.operation_name} answered {code}"  # fmt: skip
        found = CODE_STEPS.get(code) if not (step and code in DENIED) else step
    else:
        found = next((step for kind, step in KIND_STEPS.items() if isinstance(error, kind)), None)
    told = f"{what}: {text[:500]}" if what else text[:500]
    return Problem(told, found or step or "try: aws sts get-caller-identity", "AWS")
