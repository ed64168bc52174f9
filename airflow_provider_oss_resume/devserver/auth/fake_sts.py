"""The fake STS: AssumeRole, which is signed, and AssumeRoleWithOIDC, which is not."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from airflow_provider_oss_resume.devserver.auth.temporary_credentials import CredentialsIssuer
from airflow_provider_oss_resume.devserver.numbers import whole
from airflow_provider_oss_resume.devserver.server_settings import Settings
from airflow_provider_oss_resume.oss.credentials import rpc_signature

_ROLE_ARN = re.compile(r"acs:ram::\d+:role/[\w.-]+", re.ASCII)
_SESSION_NAME = re.compile(r"[\w.@-]{2,64}", re.ASCII)
_SHORTEST, _LONGEST = 900, 43_200
_SKEW = timedelta(minutes=15)


class RPCError(Exception):
    """Stop an action and reply with an error of Alibaba Cloud's RPC-style APIs."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class FakeSTS:
    """Issue credentials for the server's own access key, or for any OIDC token."""

    def __init__(self, settings: Settings, issuer: CredentialsIssuer) -> None:
        self._settings = settings
        self._issuer = issuer
        self._nonces: set[str] = set()

    def perform(self, method: str, parameters: Mapping[str, str]) -> dict[str, object]:
        """Return the reply to an action.

        :param parameters: of query and form together.
        :raises RPCError: the action is not valid.
        """
        if parameters.get("Version") != "2015-04-01":
            raise RPCError(400, "InvalidVersion", "Specified parameter Version is not valid.")
        action = parameters.get("Action", "")
        if action == "AssumeRole":
            self._check_signature(method, parameters)
        elif action == "AssumeRoleWithOIDC":
            _check_oidc(parameters)
        else:
            raise RPCError(404, "InvalidAction.NotFound", "Specified api is not found.")
        return self._granted(parameters)

    def _granted(self, parameters: Mapping[str, str]) -> dict[str, object]:
        arn, session = parameters.get("RoleArn", ""), parameters.get("RoleSessionName", "")
        if not _ROLE_ARN.fullmatch(arn):
            raise RPCError(400, "InvalidParameter.RoleArn", "The parameter RoleArn is wrongly formed.")
        if not _SESSION_NAME.fullmatch(session):
            raise RPCError(400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrongly formed.")
        seconds = whole(parameters.get("DurationSeconds", "3600"))
        if seconds is None or not _SHORTEST <= seconds <= _LONGEST:
            message = "The Min/Max value of DurationSeconds is 15min/12hr."
            raise RPCError(400, "InvalidParameter.DurationSeconds", message)
        user = {"Arn": f"{arn.replace(':role/', ':assumed-role/')}/{session}", "AssumedRoleId": f"30001:{session}"}
        return {"AssumedRoleUser": user, "Credentials": self._issuer.issue(seconds).as_json()}

    def _check_signature(self, method: str, parameters: Mapping[str, str]) -> None:
        secret = self._secret(parameters)
        _check_time(parameters.get("Timestamp", ""), self._settings.now())
        if parameters.get("SignatureMethod") != "HMAC-SHA1" or parameters.get("SignatureVersion") != "1.0":
            raise RPCError(400, "InvalidParameter", "Specified signature method or version is not valid.")
        text = rpc_signature.string_to_sign(
            method, {name: text for name, text in parameters.items() if name != "Signature"}
        )
        if not hmac.compare_digest(
            rpc_signature.signature(secret, text).encode(), parameters.get("Signature", "").encode()
        ):
            message = f"Specified signature is not matched with our calculation. server string to sign is:{text}"
            raise RPCError(400, "SignatureDoesNotMatch", message)
        nonce = parameters.get("SignatureNonce", "")
        if not nonce or nonce in self._nonces:
            raise RPCError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces.add(nonce)

    def _secret(self, parameters: Mapping[str, str]) -> str:
        key_id, token = parameters.get("AccessKeyId", ""), parameters.get("SecurityToken", "")
        if key_id == self._settings.key.access_key_id and (not token or token in self._settings.key.security_tokens):
            return self._settings.key.access_key_secret
        temporary = self._issuer.find(key_id)
        if temporary is None:
            raise RPCError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        if token != temporary.security_token or self._settings.now() >= temporary.expires_at:
            raise RPCError(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
        return temporary.access_key_secret


def _check_time(text: str, now: datetime) -> None:
    try:
        given = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=now.tzinfo)
    except ValueError:
        raise RPCError(400, "InvalidTimeStamp.Format", "Specified time stamp is not well formatted.") from None
    if abs(now - given) > _SKEW:
        raise RPCError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")


def _check_oidc(parameters: Mapping[str, str]) -> None:
    if ":oidc-provider/" not in parameters.get("OIDCProviderArn", ""):
        raise RPCError(400, "InvalidParameter.OIDCProviderArn", "The parameter OIDCProviderArn is wrongly formed.")
    if parameters.get("OIDCToken", "").count(".") != 2:
        raise RPCError(400, "AuthenticationFail.OIDCToken.Invalid", "The OIDC token is invalid.")
