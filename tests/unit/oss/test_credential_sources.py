"""What each source of credentials asks, reads and refuses; no network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_oss_resume.exceptions import ConfigurationError, TransportError
from airflow_provider_oss_resume.oss.clock import ServerClock
from airflow_provider_oss_resume.oss.credentials import (
    KINDS,
    CredentialSettings,
    as_provider,
    kind_of,
    load_provider,
    make_provider,
    rpc_signature,
)
from airflow_provider_oss_resume.oss.credentials.credentials import Credentials, StaticCredentialsProvider
from airflow_provider_oss_resume.oss.credentials.credentials_uri import CredentialsURI
from airflow_provider_oss_resume.oss.credentials.environment import EnvironmentProvider
from airflow_provider_oss_resume.oss.credentials.instance_metadata import InstanceRole
from airflow_provider_oss_resume.oss.credentials.sts import AssumedRole, OIDCRole, Role
from airflow_provider_oss_resume.oss.http.messages import HTTPReply, HTTPRequest
from airflow_provider_oss_resume.oss.signing import quote

ROLE = "acs:ram::123456789012:role/uploader"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
DATE = {"date": "Mon, 23 Nov 2026 12:00:00 GMT"}
KEYS = {
    "AccessKeyId": "STS.new",
    "AccessKeySecret": "new-secret",
    "SecurityToken": "new-token",
    "Expiration": "2026-11-23T13:00:00Z",
}


def reply(values: object, status: int = 200) -> HTTPReply:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    return HTTPReply(status, DATE, body)


def granted() -> HTTPReply:
    return reply({"RequestId": "R-1", "Credentials": KEYS})


def refused(code: str, message: str = "", status: int = 400) -> HTTPReply:
    return reply({"Code": code, "Message": message, "RequestId": "R-1"}, status)


class Service:
    """Answers with these replies and keeps what it was asked."""

    def __init__(self, *replies: HTTPReply | Exception) -> None:
        self.replies = list(replies)
        self.requests: list[HTTPRequest] = []

    def __call__(self, request: HTTPRequest) -> HTTPReply:
        self.requests.append(request)
        answer = self.replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def query(self, number: int = -1) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.requests[number].url).query))

    def form(self, number: int = -1) -> dict[str, str]:
        body = self.requests[number].body
        assert isinstance(body, bytes)
        return dict(parse_qsl(body.decode()))


class TestRPCSignature:
    def test_the_example_of_the_official_documentation(self) -> None:
        parameters = {
            "Timestamp": "2016-02-23T12:46:24Z",
            "Format": "XML",
            "AccessKeyId": "testid",
            "Action": "DescribeRegions",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
            "Version": "2014-05-26",
            "SignatureVersion": "1.0",
        }
        text = rpc_signature.string_to_sign("GET", parameters)
        assert text.startswith("GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26")
        assert text.endswith("Timestamp%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26")
        assert rpc_signature.signature("testsecret", text) == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="

    def test_what_is_signed_is_what_is_sent(self) -> None:
        assert rpc_signature.encoded({"a b": "c+d*e~f/ü"}) == "a%20b=c%2Bd%2Ae~f%2F%C3%BC"


def assumed(service: Service, role: Role | None = None, base: Credentials | None = None) -> AssumedRole:
    key = StaticCredentialsProvider(base or Credentials("an-id", "a-secret"))
    clock = ServerClock(NOON.timestamp)
    return AssumedRole(role or Role(ROLE), key, service, "https://sts.example.com", clock, lambda: "once")


class TestAssumedRole:
    def test_what_is_asked(self) -> None:
        service = Service(granted())
        role = Role(ROLE, "nightly", 1800, '{"Version": "1"}', "an agreed id")
        assumed(service, role)()
        query, form = service.query(), service.form()
        assert service.requests[0].method == "POST"
        assert service.requests[0].url.startswith("https://sts.example.com/?")
        assert form == {
            "RoleArn": ROLE,
            "RoleSessionName": "nightly",
            "DurationSeconds": "1800",
            "Policy": '{"Version": "1"}',
            "ExternalId": "an agreed id",
        }
        sent = query.pop("Signature")
        assert query == {
            "Action": "AssumeRole",
            "Version": "2015-04-01",
            "Format": "JSON",
            "Timestamp": "2026-11-23T12:00:00Z",
            "AccessKeyId": "an-id",
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": "once",
            "SignatureVersion": "1.0",
        }
        assert sent == rpc_signature.signature("a-secret", rpc_signature.string_to_sign("POST", {**query, **form}))

    def test_what_comes_back(self) -> None:
        issued = assumed(Service(granted()))()
        assert issued.credentials.access_key_id == "STS.new"
        assert issued.credentials.security_token == "new-token"
        assert issued.seconds == 3600

    def test_a_base_key_that_is_temporary_itself(self) -> None:
        service = Service(granted())
        assumed(service, base=Credentials("an-id", "a-secret", "a-token"))()
        assert service.query()["SecurityToken"] == "a-token"

    def test_a_clock_that_is_off_is_corrected_once(self) -> None:
        service = Service(refused("InvalidTimeStamp.Expired"), granted())
        role = assumed(service)
        role.clock.set(0.0)
        role()
        assert [service.query(number)["Timestamp"] for number in (0, 1)] == [
            "1970-01-01T00:00:00Z",
            "2026-11-23T12:00:00Z",
        ]

    def test_a_clock_that_cannot_be_corrected(self) -> None:
        service = Service(refused("InvalidTimeStamp.Expired"), refused("InvalidTimeStamp.Expired"))
        with pytest.raises(ConfigurationError, match=r"InvalidTimeStamp.Expired .*synchronize it with NTP"):
            assumed(service)()

    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            ("NoPermission", "Allow sts:AssumeRole for the user of the key"),
            ("EntityNotExist.Role", "The role does not exist: correct role_arn"),
            ("InvalidAccessKeyId.NotFound", "The access key id is wrong or disabled"),
            ("SignatureDoesNotMatch", "The access key secret is wrong"),
            ("InvalidSecurityToken.Expired", "renew it"),
            ("SomethingNew", "Check role_arn"),
        ],
    )
    def test_a_refusal_says_who_must_do_what(self, code: str, advice: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            assumed(Service(refused(code, "You are not authorized.", 403)))()
        assert f"no credentials from STS for {ROLE}: {code}" in str(caught.value)
        assert "(HTTP 403, request id R-1)" in str(caught.value)
        assert advice in str(caught.value)

    @pytest.mark.parametrize("code", ["NoPermission", "SignatureDoesNotMatch", "IncompleteSignature"])
    def test_a_refusal_that_repeats_secrets_does_not_tell_them(self, code: str) -> None:
        base = Credentials("an-id", "a/secret+", "a token/of=many+letters")
        message = f"signed: SecurityToken%3D{quote(quote('a token/of=many+letters'))} a/secret+ "
        with pytest.raises(ConfigurationError) as caught:
            assumed(Service(refused(code, message + quote("a token/of=many+letters"), 400)), base=base)()
        assert "secret+" not in str(caught.value)
        assert "many" not in str(caught.value)

    @pytest.mark.parametrize(
        "answer",
        [
            TransportError("POST to sts.example.com got no reply: refused"),
            refused("InternalError", status=500),
            reply(b"<html>", 502),
            refused("Throttling.User", status=400),
            refused("", status=429),
            reply(b"<html>Log in!</html>"),
            reply({"Credentials": [1]}),
            reply([1]),
        ],
        ids=str,
    )
    def test_what_another_attempt_may_mend_is_a_fault_of_the_transport(self, answer: HTTPReply | Exception) -> None:
        with pytest.raises(TransportError, match=f"STS for {ROLE}"):
            assumed(Service(answer))()

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"arn": "uploader"}, "role_arn is 'uploader': write it as acs:ram::<account id>:role/<role name>"),
            ({"session_name": "a b"}, "role_session_name is 'a b': use 2 to 64 letters"),
            ({"session_name": "a"}, "role_session_name is 'a'"),
            ({"duration_seconds": 899}, "duration_seconds is 899: use 900 to 43200"),
            ({"duration_seconds": 43_201}, "duration_seconds is 43201"),
        ],
    )
    def test_a_role_that_cannot_be(self, values: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Role(**{"arn": ROLE, **values})
        assert said in str(caught.value)


class TestOIDCRole:
    @pytest.fixture
    def token_file(self, tmp_path: Path) -> Path:
        file = tmp_path / "token"
        file.write_text("header.payload.sealed\n")
        return file

    def role(self, service: Service, token_file: Path) -> OIDCRole:
        return OIDCRole(Role(ROLE), "acs:ram::1:oidc-provider/ack", token_file, service, "https://sts.example.com")

    def test_what_is_asked_is_not_signed_and_the_token_is_in_no_url(self, token_file: Path) -> None:
        service = Service(granted())
        self.role(service, token_file)()
        query, form = service.query(), service.form()
        assert query.pop("Timestamp")
        assert query == {"Action": "AssumeRoleWithOIDC", "Version": "2015-04-01", "Format": "JSON"}
        assert form["OIDCToken"] == "header.payload.sealed"
        assert form["OIDCProviderArn"] == "acs:ram::1:oidc-provider/ack"
        assert form["RoleArn"] == ROLE

    def test_the_file_is_read_each_time_because_kubernetes_replaces_it(self, token_file: Path) -> None:
        service = Service(granted(), granted())
        role = self.role(service, token_file)
        role()
        token_file.write_text("second.token.sealed")
        role()
        assert service.form()["OIDCToken"] == "second.token.sealed"

    def test_a_refusal_does_not_tell_the_token(self, token_file: Path) -> None:
        service = Service(refused("AuthenticationFail.OIDCToken.Expired", "The token header.payload.sealed is old"))
        with pytest.raises(ConfigurationError, match=r"is old .*Check that the role's trust policy") as caught:
            self.role(service, token_file)()
        assert "sealed" not in str(caught.value)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"cannot read the OIDC token at .*missing' \(FileNotFoundError\)"):
            self.role(Service(), tmp_path / "missing")()

    def test_an_empty_file(self, token_file: Path) -> None:
        token_file.write_text("\n")
        with pytest.raises(ConfigurationError, match="is empty"):
            self.role(Service(), token_file)()


INSTANCE = {"Code": "Success", **KEYS}


class TestInstanceRole:
    def test_the_token_first_then_the_name_then_the_keys(self) -> None:
        service = Service(reply(b"meta-token"), reply(b"web-role"), reply(INSTANCE))
        issued = InstanceRole(service)()
        base = "http://100.100.100.200/latest"
        assert [(one.method, one.url) for one in service.requests] == [
            ("PUT", f"{base}/api/token"),
            ("GET", f"{base}/meta-data/ram/security-credentials/"),
            ("GET", f"{base}/meta-data/ram/security-credentials/web-role"),
        ]
        assert [one.headers.get("X-aliyun-ecs-metadata-token") for one in service.requests] == [
            None,
            "meta-token",
            "meta-token",
        ]
        assert issued.credentials.security_token == "new-token"
        assert issued.seconds == 3600

    def test_a_name_that_is_given_is_not_asked_for(self) -> None:
        service = Service(reply(b"meta-token"), reply(INSTANCE))
        InstanceRole(service, "other-role")()
        assert service.requests[-1].url.endswith("/security-credentials/other-role")

    def test_a_service_without_tokens(self) -> None:
        service = Service(reply(b"", 404), reply(b"web-role"), reply(INSTANCE))
        InstanceRole(service)()
        assert "X-aliyun-ecs-metadata-token" not in service.requests[-1].headers

    def test_a_service_without_tokens_where_that_is_forbidden(self) -> None:
        with pytest.raises(ConfigurationError, match=r"The service has no tokens: allow its version 1"):
            InstanceRole(Service(reply(b"", 404)), allow_v1=False)()

    @pytest.mark.parametrize(
        "replies",
        [
            [reply(b"", 404)],
            [reply(b"<html>a page</html>")],
            [reply(b"web-role"), reply(b"", 404)],
            [reply(b"web-role"), reply({"Code": "Failed"})],
        ],
        ids=["no role", "a page", "another role", "failed"],
    )
    def test_no_role(self, replies: list[HTTPReply]) -> None:
        with pytest.raises(ConfigurationError, match=r"metadata service at .*Attach a RAM role to the instance"):
            InstanceRole(Service(reply(b"meta-token"), *replies))()

    def test_no_instance(self) -> None:
        with pytest.raises(TransportError, match=r"instance metadata service at http://100.100.100.200: timed out"):
            InstanceRole(Service(TransportError("timed out")))()


class TestCredentialsURI:
    def test_what_it_gives(self) -> None:
        service = Service(reply(INSTANCE))
        issued = CredentialsURI("http://127.0.0.1:7000/keys?password=hidden", service)()
        assert service.requests[0].url == "http://127.0.0.1:7000/keys?password=hidden"
        assert (issued.credentials.access_key_id, issued.seconds) == ("STS.new", 3600)

    @pytest.mark.parametrize("answer", [reply({"Code": "Failed"}), reply(b"", 403)])
    def test_a_refusal_does_not_tell_the_query(self, answer: HTTPReply) -> None:
        with pytest.raises(
            ConfigurationError, match=r"no credentials from http://127.0.0.1/keys: .*Check credentials_uri"
        ) as caught:
            CredentialsURI("http://user:hidden@127.0.0.1/keys?password=hidden", Service(answer))()
        assert "hidden" not in str(caught.value)

    def test_a_login_goes_by_its_header_and_shows_nowhere(self) -> None:
        service = Service(reply(INSTANCE))
        source = CredentialsURI("http://user:hid%40den@127.0.0.1:7000/keys?a=@", service)
        source()
        [asked] = service.requests
        assert asked.url == "http://127.0.0.1:7000/keys?a=@"
        assert asked.headers["Authorization"] == "Basic " + base64.b64encode(b"user:hid@den").decode()
        assert "hid" not in repr(source)

    def test_nobody_at_it_does_not_tell_the_login(self) -> None:
        settings = CredentialSettings("uri", credentials_uri="http://user:hidden@127.0.0.1:1/keys?password=hidden")
        with pytest.raises(TransportError, match=r"no credentials from http://127.0.0.1:1/keys: GET to 127") as caught:
            make_provider(settings).get_credentials()
        assert "hidden" not in str(caught.value)


class TestEnvironment:
    def test_the_variables_of_oss(self) -> None:
        environ = {"OSS_ACCESS_KEY_ID": " i\n", "OSS_ACCESS_KEY_SECRET": "s", "OSS_SESSION_TOKEN": "t"}
        assert EnvironmentProvider(environ).get_credentials() == Credentials("i", "s", "t")

    def test_the_variables_of_alibaba_cloud(self) -> None:
        environ = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "i", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"}
        assert EnvironmentProvider(environ).get_credentials() == Credentials("i", "s")

    def test_a_key_never_gets_the_token_of_another(self) -> None:
        environ = {"OSS_ACCESS_KEY_ID": "i", "OSS_ACCESS_KEY_SECRET": "s", "ALIBABA_CLOUD_SECURITY_TOKEN": "t"}
        assert EnvironmentProvider(environ).get_credentials().security_token is None

    def test_variables_that_changed_are_seen_when_oss_refuses_the_old(self) -> None:
        environ = {"OSS_ACCESS_KEY_ID": "i", "OSS_ACCESS_KEY_SECRET": "s", "OSS_SESSION_TOKEN": "old"}
        provider = EnvironmentProvider(environ)
        environ["OSS_SESSION_TOKEN"] = "new"
        assert provider.get_credentials().security_token == "old"
        provider.refresh()
        assert provider.get_credentials().security_token == "new"

    @pytest.mark.parametrize(
        ("environ", "said"),
        [
            ({}, "set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET or ALIBABA_CLOUD_ACCESS_KEY_ID and"),
            ({"OSS_ACCESS_KEY_ID": "STS.i", "OSS_ACCESS_KEY_SECRET": "s"}, "security token: set OSS_SESSION_TOKEN too"),
            ({"OSS_ACCESS_KEY_ID": "i"}, "only half of an access key: set OSS_ACCESS_KEY_SECRET too"),
            (
                {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "s"},
                "half of an access key: set ALIBABA_CLOUD_ACCESS_KEY_ID too",
            ),
        ],
    )
    def test_what_is_missing_is_named(self, environ: dict[str, str], said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            EnvironmentProvider(environ)


class Attributes:
    """As SDK v2 and alibabacloud-credentials return them."""

    def __init__(self, access_key_id: str | None = "i", **changes: str) -> None:
        self.access_key_id = access_key_id
        self.access_key_secret = changes.get("secret", "s")
        self.security_token = "t"
        self.expiration = NOON


class Getters:
    """As oss2 returns them."""

    def get_access_key_id(self) -> str:
        return "i"

    def get_access_key_secret(self) -> str:
        return "s"

    def get_security_token(self) -> str:
        return ""


class WithGetCredential:
    """As the client of alibabacloud-credentials, which has both."""

    def get_credential(self) -> object:
        return Attributes()

    @staticmethod
    def get_credentials(config: object) -> object:
        raise AssertionError("makes a provider of a configuration")


class WithGetCredentials:
    def __init__(self, give: Callable[[], object] = Getters) -> None:
        self.get_credentials = give


def failing() -> object:
    raise ValueError('{"AccessKeySecret": "hidden", "SecurityToken":"hidden too"} could not be read')


READY = WithGetCredential()


class TestForeign:
    def test_alibabacloud_credentials(self) -> None:
        assert as_provider(WithGetCredential()).get_credentials() == Credentials("i", "s", "t", NOON)

    def test_oss2(self) -> None:
        assert as_provider(WithGetCredentials()).get_credentials() == Credentials("i", "s")

    def test_our_own(self) -> None:
        own = Credentials("i", "s")
        assert as_provider(WithGetCredentials(lambda: own)).get_credentials() is own
        assert as_provider(own).get_credentials() is own

    @pytest.mark.parametrize("given", [object(), None, "text", WithGetCredentials])
    def test_what_is_no_provider(self, given: object) -> None:
        with pytest.raises(ConfigurationError, match=r"has no get_credentials\(\) or get_credential\(\)"):
            as_provider(given)

    @pytest.mark.parametrize("found", [None, Attributes(None), Attributes(""), Attributes(secret="")])
    def test_one_that_gives_no_key(self, found: object) -> None:
        with pytest.raises(ConfigurationError, match="WithGetCredentials returned no access key"):
            as_provider(WithGetCredentials(lambda: found)).get_credentials()

    def test_one_that_fails_is_asked_again_and_its_message_keeps_no_secret(self) -> None:
        with pytest.raises(TransportError, match=r"WithGetCredentials: ValueError: .* could not be read") as caught:
            as_provider(WithGetCredentials(failing)).get_credentials()
        assert "hidden" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize("name", ["READY", "WithGetCredential"])
    @pytest.mark.parametrize("separator", [".", ":"])
    def test_a_dotted_path_names_an_object_or_its_maker(self, name: str, separator: str) -> None:
        assert as_provider(load_provider(f"{__name__}{separator}{name}")).get_credentials().access_key_id == "i"

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("nowhere.Provider", "ModuleNotFoundError: No module named 'nowhere'"),
            (f"{__name__}.Missing", "AttributeError"),
            ("Provider", "ValueError"),
            (f"{__name__}.failing", "ValueError"),
        ],
    )
    def test_a_path_that_leads_nowhere(self, path: str, said: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load_provider(path)
        assert f"credentials_provider {path!r} cannot be used ({said}" in str(caught.value)
        assert "hidden" not in str(caught.value)


COMPLETE: dict[str, dict[str, Any]] = {
    "ak": {"access_key_id": "i", "access_key_secret": "s"},
    "sts": {"access_key_id": "i", "access_key_secret": "s", "security_token": "t"},
    "ram_role_arn": {"access_key_id": "i", "access_key_secret": "s", "role_arn": ROLE},
    "ecs_ram_role": {},
    "oidc": {"role_arn": ROLE, "oidc_provider_arn": "p", "oidc_token_file_path": "/t"},
    "uri": {"credentials_uri": "http://127.0.0.1/keys"},
    "provider": {"provider": f"{__name__}.READY"},
}

VARIABLES = {
    "OSS_ACCESS_KEY_ID": "i",
    "OSS_ACCESS_KEY_SECRET": "s",
    "ALIBABA_CLOUD_ROLE_ARN": ROLE,
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "p",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE": "/t",
    "ALIBABA_CLOUD_CREDENTIALS_URI": "http://127.0.0.1/keys",
}


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("", "ak"),
            ("AK", "ak"),
            ("access_key", "ak"),
            (" STS ", "sts"),
            ("credentials_uri", "uri"),
            *((kind, kind) for kind in KINDS),
        ],
    )
    def test_kinds_by_all_their_names(self, name: str, kind: str) -> None:
        assert kind_of(name) == kind

    def test_a_kind_that_is_none(self) -> None:
        with pytest.raises(ConfigurationError, match="auth_type 'bearer' is unknown, use one of ak, sts, ram_role_arn"):
            kind_of("bearer")

    @pytest.mark.parametrize("kind", COMPLETE)
    def test_complete_settings_make_a_provider_and_ask_nobody(self, kind: str) -> None:
        make_provider(CredentialSettings(kind, **COMPLETE[kind]), environ={})

    @pytest.mark.parametrize("kind", ["env", "ram_role_arn", "oidc", "uri", "ecs_ram_role"])
    def test_the_environment_completes_what_the_connection_leaves_out(self, kind: str) -> None:
        make_provider(CredentialSettings(kind), environ=VARIABLES)

    @pytest.mark.parametrize(
        ("kind", "values", "said"),
        [
            ("ak", {"access_key_id": ""}, "no access key id, fill login and password"),
            ("ak", {"access_key_id": "", "access_key_secret": ""}, "no access key id and no access key secret"),
            ("sts", {"security_token": ""}, "auth_type 'sts' needs security_token: set security_token in"),
            (
                "ram_role_arn",
                {"role_arn": ""},
                "needs role_arn: set role_arn .* or ALIBABA_CLOUD_ROLE_ARN for the worker",
            ),
            ("ram_role_arn", {"access_key_secret": ""}, "no access key secret"),
            ("ram_role_arn", {"sts_endpoint": "ftp://sts"}, "sts_endpoint is not a URL"),
            ("oidc", {"oidc_provider_arn": ""}, "needs oidc_provider_arn"),
            ("oidc", {"oidc_token_file_path": ""}, "needs oidc_token_file_path: .* ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
            ("uri", {"credentials_uri": ""}, "needs credentials_uri"),
            ("uri", {"credentials_uri": "127.0.0.1/keys"}, "credentials_uri is not a URL"),
            ("uri", {"credentials_uri": "http://127.0.0.1:port/keys"}, "credentials_uri is not a URL"),
            ("ram_role_arn", {"sts_endpoint": "https://u:p@sts"}, "sts_endpoint must be only a host: write it as ht"),
            ("ram_role_arn", {"sts_endpoint": "https://sts/?a"}, "sts_endpoint must be only a host"),
            ("ecs_ram_role", {"metadata_endpoint": "http://u:p@h"}, "metadata_endpoint must be only a host"),
            ("provider", {"provider": ""}, "needs credentials_provider"),
        ],
    )
    def test_what_is_missing_is_named(self, kind: str, values: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            make_provider(CredentialSettings(kind, **{**COMPLETE[kind], **values}), environ={})

    def test_a_metadata_service_that_the_environment_forbids(self) -> None:
        environ = {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}
        with pytest.raises(ConfigurationError, match="unset ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
            make_provider(CredentialSettings("ecs_ram_role"), environ=environ)

    def test_no_secret_in_the_repr(self) -> None:
        shown = repr(CredentialSettings("sts", "i", "hidden", "hidden", credentials_uri="http://h/?hidden"))
        assert "hidden" not in shown


def test_base64_of_a_signature_has_no_line_end() -> None:
    assert len(base64.b64decode(rpc_signature.signature("s" * 200, "t" * 10_000))) == 20
