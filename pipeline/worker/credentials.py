"""Kafka credentials for Faust (aiokafka), from the settings' security block."""

import asyncio
import base64
import ssl
import time
from typing import Any

import aiohttp
import faust
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.kafka import aws_iam
from driftline.pipeline.kafka.client import tls
from driftline.pipeline.settings.blocks import AwsIam, Kafka, OAuth

PATIENCE = aiohttp.ClientTimeout(total=10)


def credentials(kafka: Kafka) -> Any:
    """faust.SSLCredentials, SASLCredentials or OAuthCredentials; None for PLAINTEXT."""
    context = tls(kafka)
    if kafka.sasl_mechanism == "OAUTHBEARER" and kafka.oauth:
        return faust.OAuthCredentials(oauth_cb=Tokens(kafka.oauth), ssl_context=context)
    if kafka.aws_iam:
        return faust.OAuthCredentials(oauth_cb=IamTokens(kafka.aws_iam), ssl_context=context)
    if kafka.sasl_mechanism:
        password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
        return faust.SASLCredentials(
            username=kafka.sasl_username, password=password, ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )  # fmt: skip
    return faust.SSLCredentials(context=context) if context else None


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """OAuth tokens by the client credentials grant, cached until shortly before they expire."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth
        self._context = ssl.create_default_context(cafile=oauth.ca_file)
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        async with self._lock:
            if time.time() > self._until - 30:
                await self._fetch()
            return self._token

    async def _fetch(self) -> None:
        """Raises KafkaConnectionError: the only error after which aiokafka tries again."""
        oauth = self._oauth
        secret = oauth.client_secret.get_secret_value() if oauth.client_secret else ""
        who = base64.b64encode(f"{oauth.client_id}:{secret}".encode()).decode()
        form = {"grant_type": "client_credentials"} | ({"scope": oauth.scope} if oauth.scope else {})  # fmt: skip
        headers = {"Authorization": f"Basic {who}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=PATIENCE) as session,
                session.post(
                    oauth.token_url, data=form, headers=headers, ssl=self._context
                ) as answer,  # fmt: skip
            ):
                answer.raise_for_status()
                given = await answer.json()
            self._token, lifetime = given["access_token"], float(given.get("expires_in", 300))
        except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError) as error:
            why = f"{type(error).__name__} {getattr(error, 'status', '')}".strip()
            raise KafkaConnectionError(f"no token from {oauth.token_url}: {why}") from None
        self._until = time.time() + lifetime


class IamTokens(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens by AWS IAM, cached until shortly before they expire."""

    def __init__(self, iam: AwsIam) -> None:
        self._iam = iam
        self._token, self._until = "", 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """Raises KafkaConnectionError: the only error after which aiokafka tries again."""
        async with self._lock:
            if time.time() > self._until - 30:
                try:
                    self._token, self._until = await asyncio.to_thread(aws_iam.token, self._iam)
                except UserError as why:
                    raise KafkaConnectionError(str(why)) from None
            return self._token
