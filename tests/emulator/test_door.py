"""The emulator's door: no web page gets in, and nobody without the credentials of this start.

The page is played here over raw HTTP, as a browser would send it; `tests/browser` has a browser send it.
"""

import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import HmacV1Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from laptop import Stack, callers, environment
from laptop.emulator.launcher import Emulator, Process, free_port
from laptop.environment import Access, trusted
from laptop.pace import patience
from worlds.attacks import TWELVE_DIGITS, Answer, Attack, send
from worlds.emulator import World, unique

TEMPLATE = Path(__file__).parent / "templates" / "template.yaml"
EVIL = "https://evil.example"
CONSOLE = "http://127.0.0.1:5173"
SIGN_IN = "https://sign-in.example"
Headers = list[tuple[str, str]]


@pytest.fixture(scope="module")
def faults() -> int:
    return free_port()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, faults: int) -> Iterator[Process]:
    """An emulator that was told of a console, by this process's environment, and of two others by its caller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(callers.LETS_IN, f" {CONSOLE} ,")
        emulator = Emulator(
            env={"TIFFIN_FAULTS": str(faults)},
            state_dir=tmp_path_factory.mktemp("state"),
            lets_in=["host.docker.internal", SIGN_IN],
        )
    try:
        yield emulator.start()
    finally:
        emulator.stop()


@pytest.fixture(scope="module")
def inside(process: Process) -> World:
    return World(process.access)


@pytest.fixture(scope="module")
def api(inside: World) -> str:
    """The path of a REST API, with one method that answers by itself."""
    apis = inside.client("apigateway")
    rest = apis.create_rest_api(name=unique("api"))["id"]
    (root,) = apis.get_resources(restApiId=rest)["items"]
    where: dict[str, Any] = {"restApiId": rest, "resourceId": root["id"], "httpMethod": "GET"}
    apis.put_method(**where, authorizationType="NONE")
    apis.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    apis.put_method_response(**where, statusCode="200")
    apis.put_integration_response(**where, statusCode="200")
    apis.create_deployment(restApiId=rest, stageName="v1")
    return f"/_aws/execute-api/{rest}/v1/"


@pytest.fixture
def attack(inside: World, tmp_path: Path) -> Attack:
    """Code to run, for which there is a role."""
    attack = Attack(unique("evil"), tmp_path / "marker")
    inside.iam.create_role(RoleName=attack.name, AssumeRolePolicyDocument="{}")
    return attack


def get(url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Ask the emulator, by way of no proxy."""
    return httpx.get(url, headers=headers, trust_env=False, timeout=patience(30), verify=trusted())


def tried(process: Process, attack: Attack, headers: Headers, key: str = TWELVE_DIGITS) -> Answer:
    """The answer to a page that tries to make a function and run it. What it did is looked at in any case."""
    simple = [("Content-Type", "text/plain"), *headers]
    first = send(process.port, "POST", attack.make_function(key), simple, attack.function())
    send(process.port, "POST", attack.invoke(key), simple, "{}")
    assert attack.effects(process.access) == [f"role {attack.name}"]
    return first


class TestPages:
    @pytest.mark.parametrize(
        ("header", "headers"),
        [
            pytest.param("Origin", [("Origin", EVIL), ("Sec-Fetch-Site", "cross-site")], id="fetch"),
            pytest.param(
                "Origin", [("Origin", "http://127.0.0.1:8000"), ("Sec-Fetch-Site", "same-site")], id="another port"
            ),
            pytest.param("Origin", [("Origin", "null"), ("Sec-Fetch-Site", "cross-site")], id="a sandboxed frame"),
            pytest.param("Origin", [("Origin", EVIL)], id="an old browser"),
            pytest.param("Sec-Fetch-Site", [("Sec-Fetch-Site", "cross-site")], id="a form, without an origin"),
            pytest.param("Sec-Fetch-Site", [("Sec-Fetch-Site", "same-site")], id="a form on another port"),
            pytest.param(
                "Host", [("Host", "evil.example:{port}"), ("Origin", "http://evil.example:{port}")], id="rebound"
            ),
            pytest.param("Host", [("Host", "evil.example:{port}")], id="rebound, without an origin"),
            pytest.param("Host", [("Host", "localhost:{port}")], id="a name"),
        ],
    )
    def test_what_a_page_sends_makes_and_runs_nothing(
        self, process: Process, attack: Attack, header: str, headers: Headers
    ) -> None:
        answer = tried(process, attack, [(name, value.format(port=process.port)) for name, value in headers])

        assert answer.status == 403
        assert answer.problem["type"] == "https://tiffin.example/problems/caller-not-let-in"
        assert answer.problem["header"] == header
        assert answer.problem["value"] == dict(headers)[header].format(port=process.port)

    def test_the_credentials_of_this_start_do_not_let_a_page_in(self, process: Process) -> None:
        """A page may know them, from a screenshot, say; it is refused all the same."""
        url = presigned(process.access, "GET", 60)

        assert get(url).status_code == 200
        assert get(url, headers={"Origin": EVIL}).status_code == 403

    @pytest.mark.parametrize("tag", ["img", "script", "link"])
    def test_what_a_tag_fetches_makes_nothing(self, process: Process, tmp_path: Path, tag: str) -> None:
        """A browser sends no `Origin` with it, and to a rebound name, which is not trustworthy, no `Sec-Fetch-Site`."""
        attack = Attack(unique(f"evil-{tag}"), tmp_path / "marker")

        near = send(process.port, "GET", attack.make_role(), [("Sec-Fetch-Site", "cross-site")])
        rebound = send(process.port, "GET", attack.make_role(), [("Host", f"evil.example:{process.port}")])

        assert (near.problem["header"], rebound.problem["header"]) == ("Sec-Fetch-Site", "Host")
        assert attack.effects(process.access) == []

    @pytest.mark.parametrize("path", ["/", "/2015-03-31/functions", "{api}"])
    def test_a_preflight_permits_nothing(self, process: Process, api: str, path: str) -> None:
        asks = [("Origin", EVIL), ("Access-Control-Request-Method", "PUT"), ("Sec-Fetch-Site", "cross-site")]

        answer = send(process.port, "OPTIONS", path.format(api=api), asks)

        assert answer.status == 403
        assert answer.problem["header"] == "Origin"

    @pytest.mark.parametrize(
        "headers", [[("Origin", EVIL)], [("Host", "evil.example:1")], [("Sec-Fetch-Site", "same-site")]]
    )
    def test_a_websocket_is_not_opened(self, process: Process, api: str, headers: Headers) -> None:
        upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]

        answer = send(process.port, "GET", api, [*headers, *upgrade])

        assert answer.status == 403
        assert answer.problem["header"] == headers[0][0]

    def test_a_request_without_a_host_is_refused(self, process: Process) -> None:
        answer = send(process.port, "GET", "/_ministack/health", [("Host", "-")], version="HTTP/1.0")

        assert answer.status == 403
        assert answer.problem["header"] == "Host"

    def test_a_target_that_is_a_whole_address_is_refused(self, process: Process) -> None:
        answer = send(process.port, "GET", f"http://127.0.0.1:{process.port}/_ministack/health")

        assert answer.status == 403
        assert answer.problem["header"] == "Host"

    @pytest.mark.parametrize("path", ["{api}", "/_ministack/health", "/oauth2/authorize"])
    def test_what_needs_no_credentials_is_not_for_pages_either(self, process: Process, api: str, path: str) -> None:
        answer = send(process.port, "GET", path.format(api=api), [("Origin", EVIL)])

        assert answer.status == 403
        assert answer.problem["header"] == "Origin"

    def test_a_page_does_not_break_things_on_purpose(self, process: Process, faults: int) -> None:
        """The port of the fault points is a door of the same kind."""
        rule = json.dumps([{"id": "evil", "point": "api", "action": "refuse"}])

        refused = [
            send(faults, "POST", "/rules", headers, rule)
            for headers in ([("Origin", EVIL)], [("Host", f"evil.example:{faults}")], [("Sec-Fetch-Site", "same-site")])
        ]

        assert [answer.problem["header"] for answer in refused] == ["Origin", "Host", "Sec-Fetch-Site"]
        assert json.loads(send(faults, "GET", "/").body) == {}


class TestStrangers:
    """What is no browser, and has no credentials of this start: another user's program on this machine, say."""

    @pytest.mark.parametrize("key", ["test", TWELVE_DIGITS, "123456789012", "AKIAIOSFODNN7EXAMPLE"])
    def test_a_key_in_the_query_is_not_taken(self, process: Process, attack: Attack, key: str) -> None:
        assert tried(process, attack, [], key).status == 403

    @pytest.mark.parametrize("key", ["test", TWELVE_DIGITS, "AKIAIOSFODNN7EXAMPLE"])
    @pytest.mark.parametrize("service", ["lambda", "dynamodb", "sqs", "s3", "sts", "sesv2", "cloudformation", "iam"])
    def test_other_credentials_are_refused_as_aws_refuses_unknown_ones(
        self, process: Process, service: str, key: str
    ) -> None:
        stranger = environment.client(service, Access(process.access.endpoint, key, "test"))

        with pytest.raises(ClientError) as refused:
            anything(service, stranger)

        assert refused.value.response["Error"]["Code"] in {
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
        }

    @pytest.mark.parametrize("service", ["lambda", "dynamodb", "sqs", "s3", "sts", "cloudformation"])
    def test_the_right_key_with_a_wrong_secret_is_refused(self, process: Process, service: str) -> None:
        stranger = environment.client(service, replace(process.access, secret_access_key="guessed"))

        with pytest.raises(ClientError) as refused:
            anything(service, stranger)

        assert refused.value.response["Error"]["Code"] in {"SignatureDoesNotMatch", "InvalidSignatureException"}

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param([], id="unsigned"),
            pytest.param([("Authorization", "Basic dGVzdDp0ZXN0")], id="another scheme"),
            pytest.param([("Authorization", "Bearer test")], id="a token"),
            pytest.param([("Authorization", "AWS test:c2lnbmF0dXJl")], id="signature version 2"),
            pytest.param([("Authorization", "AWS4-HMAC-SHA256 Credential=test/a/b/c/d")], id="half a signature"),
            pytest.param([("Authorization", "AWS4-HMAC-SHA256 Credential=é/a/b/c/d, SignedHeaders=h, Signature=é"),
                          ("X-Amz-Date", "20260101T000000Z")], id="no text"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("PUT", "/evil-bucket"),
            ("GET", "/"),
            ("POST", "/"),
            ("GET", "/2015-03-31/functions"),
            ("POST", "/_ministack/reset"),
            ("POST", "/_ministack/config"),
            ("GET", "/_ministack/ses/messages"),
            ("GET", "/_ministack/lambda-code/000000000000/eu-central-1/f"),
            ("GET", "/_localstack/health"),
            ("OPTIONS", "/evil-bucket"),
            ("PUT", "/login"),
            ("GET", "/_aws/execute-api/a"),
            ("POST", "/_aws/execute-api/a/v1/@connections/c"),
            ("POST", "/?Action=ListUsers"),
        ],
    )
    def test_what_is_not_signed_is_refused(
        self, process: Process, inside: World, method: str, target: str, headers: Headers
    ) -> None:
        kept, _ = inside.queue()

        answer = send(process.port, method, target, [(n, v.encode().decode("latin-1")) for n, v in headers], "{}")

        assert 400 <= answer.status <= 403
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert kept in inside.queues.list_queues()["QueueUrls"]
        assert "evil-bucket" not in {bucket["Name"] for bucket in inside.client("s3").list_buckets().get("Buckets", [])}

    def test_a_functions_session_can_not_be_made_up_from_its_name(self, process: Process, inside: World) -> None:
        """MiniStack derives key, secret and token from two names, which are no secrets."""
        function = inside.function("def handler(event, context):\n    return 1")
        inside.functions.invoke(FunctionName=function)
        digest = hashlib.sha256(f"{function}:{inside.admin}".encode()).hexdigest()
        made_up = boto3.client(
            "sqs",
            endpoint_url=process.access.endpoint,
            region_name=environment.REGION,
            aws_access_key_id=f"ASIA{digest[:16].upper()}",
            aws_secret_access_key=hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
            aws_session_token=hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
        )

        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            made_up.list_queues()

    @pytest.mark.parametrize("token", ["", "another"])
    def test_a_session_without_its_token_is_refused(self, process: Process, inside: World, token: str) -> None:
        session = inside.client("sts").get_session_token()["Credentials"]
        stranger = boto3.client(
            "sqs",
            endpoint_url=process.access.endpoint,
            region_name=environment.REGION,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=token or None,
        )

        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            stranger.list_queues()

    def test_a_function_can_not_name_another_key_beside_its_own(self, process: Process, inside: World) -> None:
        """MiniStack goes by the first key, and the signature is the last one's: a way to become the root user."""
        session = inside.client("sts").get_session_token()["Credentials"]
        keys = Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
        request = AWSRequest("GET", f"{process.access.endpoint}/2015-03-31/functions")
        SigV4Auth(keys, "lambda", environment.REGION).add_auth(request)
        both = request.headers["Authorization"].replace(
            "Credential=", f"Credential={process.access.access_key_id}/x, Credential="
        )
        request.headers.replace_header("Authorization", both)

        answer = get(str(request.url), headers=dict(request.headers))

        assert answer.status_code == 403
        assert "more than one access key" in answer.text

    def test_a_presigned_url_is_good_for_what_it_says_and_as_long(self, process: Process) -> None:
        good = presigned(process.access, "GET", 60)
        urls = [good, presigned(process.access, "GET", -1), presigned(process.access, "DELETE", 60), good + "&Marker=1"]

        statuses = [get(url).status_code for url in urls]

        assert statuses == [200, 403, 403, 403]

    def test_the_old_signature_is_not_taken_even_from_the_right_key(self, process: Process) -> None:
        request = AWSRequest("GET", f"{process.access.endpoint}/")
        HmacV1Auth(Credentials(process.access.access_key_id, process.access.secret_access_key)).add_auth(request)

        assert 400 <= get(str(request.url), headers=dict(request.headers)).status_code <= 403


class TestHonestCallers:
    def test_a_function_works_with_the_session_of_its_role(self, inside: World, process: Process) -> None:
        source = (
            "import boto3\ndef handler(event, context):\n    return boto3.client('sqs').create_queue(QueueName=event)"
        )
        name = unique("queue")

        called = inside.functions.invoke(FunctionName=inside.function(source), Payload=json.dumps(name))

        assert "FunctionError" not in called
        assert inside.queues.get_queue_url(QueueName=name)["QueueUrl"].endswith(name)

    def test_a_function_has_no_more_than_its_role_allows(self, inside: World) -> None:
        source = (
            "import boto3\ndef handler(event, context):\n    return boto3.client('sqs').create_queue(QueueName='x')"
        )

        role = inside.role([{"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}])
        called = inside.functions.invoke(FunctionName=inside.function(source, role=role))

        assert called["FunctionError"]
        assert "AccessDenied" in called["Payload"].read().decode()

    def test_keys_and_sessions_that_this_emulator_gave_out_are_taken(self, inside: World, process: Process) -> None:
        user = unique("user")
        inside.iam.create_user(UserName=user)
        key = inside.iam.create_access_key(UserName=user)["AccessKey"]
        someone = environment.client("sts", Access(process.access.endpoint, key["AccessKeyId"], key["SecretAccessKey"]))
        session = inside.client("sts").get_session_token()["Credentials"]
        root = boto3.client(
            "sts",
            endpoint_url=process.access.endpoint,
            region_name=environment.REGION,
            aws_access_key_id=session["AccessKeyId"],
            aws_secret_access_key=session["SecretAccessKey"],
            aws_session_token=session["SessionToken"],
        )

        assert someone.get_caller_identity()["Arn"].endswith(f":user/{user}")
        assert root.get_caller_identity()["Arn"].endswith(":root")

    def test_an_object_is_stored_and_read_by_a_presigned_url(self, inside: World) -> None:
        s3 = environment.client("s3", inside.access, signature_version="s3v4")
        bucket, content = unique("bucket"), os.urandom(300_000)
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": environment.REGION})
        s3.put_object(Bucket=bucket, Key="a b/ü", Body=content)

        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü"})

        assert get(url).content == content
        assert get(url.partition("?")[0]).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param([], id="curl"),
            pytest.param([("Authorization", "Bearer a.b.c")], id="a client with a token"),
            pytest.param([("Sec-Fetch-Site", "none")], id="the address bar"),
            pytest.param([("Origin", CONSOLE), ("Sec-Fetch-Site", "same-site")], id="the console"),
            pytest.param([("Origin", SIGN_IN), ("Sec-Fetch-Site", "cross-site")], id="hosted sign-in"),
            pytest.param([("Host", "host.docker.internal:{port}")], id="a container"),
        ],
    )
    def test_the_api_answers(self, process: Process, api: str, headers: Headers) -> None:
        told = [(name, value.format(port=process.port)) for name, value in headers]

        assert send(process.port, "GET", api, told).status == 200

    def test_a_page_that_was_told_of_may_ask_beforehand(self, process: Process) -> None:
        asks = [("Origin", CONSOLE), ("Access-Control-Request-Method", "POST"), ("Sec-Fetch-Site", "same-site")]

        answer = send(process.port, "OPTIONS", "/", asks)

        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] in ("*", CONSOLE)

    def test_a_page_that_was_told_of_needs_credentials_as_all_do(self, process: Process, attack: Attack) -> None:
        assert tried(process, attack, [("Origin", CONSOLE), ("Sec-Fetch-Site", "same-site")]).status == 403

    def test_browsers_sign_in_without_credentials(self, inside: World, process: Process) -> None:
        users = inside.client("cognito-idp")
        pool = users.create_user_pool(PoolName=unique("pool"))["UserPool"]["Id"]
        app = users.create_user_pool_client(
            UserPoolId=pool,
            ClientName="web",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )["UserPoolClient"]["ClientId"]
        users.admin_create_user(UserPoolId=pool, Username="ada")
        users.admin_set_user_password(UserPoolId=pool, Username="ada", Password="Analytical-1", Permanent=True)

        def ask(operation: str, **fields: Any) -> Answer:
            headers = [
                ("X-Amz-Target", f"AWSCognitoIdentityProviderService.{operation}"),
                ("Content-Type", "application/x-amz-json-1.1"),
                ("Origin", CONSOLE),
            ]
            return send(process.port, "POST", "/", headers, json.dumps(fields))

        signed_in = ask(
            "InitiateAuth",
            ClientId=app,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ada", "PASSWORD": "Analytical-1"},
        )
        keys = send(process.port, "GET", f"/{pool}/.well-known/jwks.json")

        assert json.loads(signed_in.body)["AuthenticationResult"]["AccessToken"]
        assert json.loads(keys.body)["keys"]
        # What is not for browsers is not: it makes a user of whom it likes.
        assert ask("AdminCreateUser", UserPoolId=pool, Username="eve").status in (400, 403)
        assert ask("ListUserPools", MaxResults=1).status in (400, 403)

    def test_the_launcher_sees_that_it_is_there(self, process: Process) -> None:
        assert process.running()


class TestWhatIsKept:
    def test_it_is_for_this_user_alone_whatever_it_was(self, tmp_path: Path) -> None:
        state = tmp_path / "state"
        state.mkdir(mode=0o755)
        emulator = Emulator(state_dir=state)
        # As an earlier version left them, with a reader at work, so that SQLite keeps its companions.
        old = [state / name for name in ("record.sqlite", "record.sqlite-wal", "record.sqlite-shm", "emulator.log")]
        for path in old:
            path.touch()
            path.chmod(0o644)

        try:
            process = emulator.start()
            process.save(state / "stack.json", {})

            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir() if path.is_file()}
            assert {path.name for path in old} | {"stack.json"} <= set(modes)
            assert set(modes.values()) == {0o600}
            assert stat.S_IMODE(state.stat().st_mode) == 0o700
        finally:
            emulator.stop()

    def test_aws_own_tools_work_by_the_file_that_make_up_leaves(self, tmp_path: Path) -> None:
        state = tmp_path / ".tiffin"
        program = "import boto3; print(boto3.client('cloudformation').list_stacks()['StackSummaries'][0]['StackName'])"
        with Stack.up(template=TEMPLATE, state_dir=state, stays=True) as up:
            attached = Stack.attach(state)
            assert attached.access == up.access
            assert attached.client("sts").get_caller_identity()["Arn"].endswith(":root")
            file = state / "aws.env"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert up.access.secret_access_key in file.read_text()

            # As the documentation has it, in the shell of somebody who works with AWS all day.
            done = subprocess.run(
                [
                    "sh",
                    "-c",
                    f"unset AWS_PROFILE; export $(cat {shlex.quote(str(file))}); "
                    f"{sys.executable} -c {shlex.quote(program)}",
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "AWS_PROFILE": "production",
                    "AWS_ACCESS_KEY_ID": "AKIAPRODUCTION",
                    "AWS_SESSION_TOKEN": "production",
                    "AWS_REGION": "us-west-2",
                },
                capture_output=True,
                text=True,
                check=True,
            )

            assert done.stdout == "tiffin\n"
        assert not file.exists()


def anything(service: str, client: Any) -> None:
    """Ask a service for something harmless."""
    {
        "lambda": lambda: client.list_functions(),
        "dynamodb": lambda: client.list_tables(),
        "sqs": lambda: client.list_queues(),
        "s3": lambda: client.list_buckets(),
        "sts": lambda: client.get_caller_identity(),
        "sesv2": lambda: client.list_email_identities(),
        "cloudformation": lambda: client.list_stacks(),
        "iam": lambda: client.list_roles(),
    }[service]()


def presigned(access: Access, method: str, expires: int) -> str:
    """A URL that lists functions.

    Args:
        access: whose credentials sign it.
        method: that it is good for.
        expires: after how many seconds it is good no more.
    """
    request = AWSRequest(method, f"{access.endpoint}/2015-03-31/functions")
    keys = Credentials(access.access_key_id, access.secret_access_key)
    SigV4QueryAuth(keys, "lambda", environment.REGION, expires=expires).add_auth(request)
    return str(request.url)
