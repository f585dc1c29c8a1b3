"""Login to Amazon MSK by AWS IAM: a token is a signed URL, made here from the AWS credentials of this machine."""

import threading
import time

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.settings.blocks import AwsIam

SHARED = 60.0
"""Seconds for which a token serves every client of a process that asks for one."""
LOOK = "look at kafka.aws_iam: region and role_arn; and at the AWS credentials of this machine"
_lock = threading.Lock()
_made: dict[tuple[str, str | None], tuple[float, str, float]] = {}
"""Region and role to when a token was made, the token, and its end."""


def token(iam: AwsIam) -> tuple[str, float]:
    """A token, and the Unix time at which it ends. Asks AWS only for a role, or where the credentials come from the instance.
    Raises UserError, NotThere where AWS may answer later."""
    key = (iam.region, iam.role_arn)
    with _lock:
        now = time.time()
        at, made, ends = _made.get(key, (0.0, "", 0.0))
        if now >= at + min(SHARED, (ends - at) / 2):
            made, ends = _signed(iam)
            _made[key] = (now, made, ends)
        return made, ends


def _signed(iam: AwsIam) -> tuple[str, float]:
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider as Signer
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

    try:
        if iam.role_arn:
            made, ends = Signer.generate_auth_token_from_role_arn(iam.region, iam.role_arn)
        else:
            made, ends = Signer.generate_auth_token(iam.region)
    except HTTPClientError as why:
        raise NotThere(f"no token by AWS IAM: {why}", fix=LOOK) from None
    except (BotoCoreError, ClientError, OSError, ValueError) as why:
        raise UserError(f"no token by AWS IAM: {why}", fix=LOOK) from None
    except AttributeError:  # the signer signs with what it has not found
        raise UserError("no token by AWS IAM: no AWS credentials were found", fix=LOOK) from None
    return made, ends / 1000
