"""What the console is built of is as the services say, and what it is served with lets nothing in but its own files."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from contracts import console
from contracts.cloudformation import Stack, deploy, transformed
from contracts.made import stale
from laptop import web
from laptop.emulator.web_server import caching, headers
from worlds import ROOT
from worlds.templates import EVERYTHING

OUTPUTS = {
    "SignInUrl": "https://pages.example",
    "UserPoolClientId": "client",
    "ApiUrl": "https://orders.example/v1",
    "PromotionsApiUrl": "https://promotions.example/v1",
}


@pytest.mark.parametrize("path", [*console.files(), *console.GENERATED.glob("*.json")], ids=lambda path: path.name)
def test_what_is_generated_is_as_it_would_be_generated_now(path: Path) -> None:
    outdated = stale(console.files(), console.GENERATED.glob("*.json"))
    assert path not in outdated, "run .venv/bin/python scripts/render_console.py"


def test_every_service_with_an_api_that_the_console_calls_has_its_document_there() -> None:
    there = {name for name in console.APIS if (ROOT / "services" / name / name / "api.py").exists()}
    assert {path.name.partition(".")[0] for path in console.GENERATED.glob("*.openapi.json")} == there


@pytest.mark.parametrize(
    "name", [name for name in console.APIS if (ROOT / "services" / name / name / "api.py").exists()]
)
def test_every_reference_of_a_document_leads_to_a_schema(name: str) -> None:
    document = console.document(name)
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert referred <= document["components"]["schemas"].keys()


def directives(config: object) -> dict[str, str]:
    return parts(headers(config)["Content-Security-Policy"])


def parts(policy: str) -> dict[str, str]:
    return {name: value for name, _, value in (each.strip().partition(" ") for each in policy.split(";"))}


def test_a_page_runs_and_shows_its_own_files_alone() -> None:
    assert directives({}) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }


def test_a_page_connects_to_what_its_configuration_names_and_to_nothing_else() -> None:
    live = {"LiveApiUrl": "https://live.example/v1", "LiveUrl": "wss://socket.example/v1"}
    assert directives(web.configuration(OUTPUTS | live))["connect-src"].split() == [
        "'self'",
        "https://live.example",
        "https://orders.example",
        "https://pages.example",
        "https://promotions.example",
        "wss://socket.example",
    ]


def test_who_leaves_for_the_sign_in_pages_says_from_which_origin_and_not_from_which_page() -> None:
    assert headers({})["Referrer-Policy"] == "strict-origin"


def test_only_files_whose_names_follow_from_their_content_are_kept() -> None:
    assert caching("assets/index-abc.js").endswith("immutable")
    assert {caching(path) for path in ("", "index.html", "config.json", "theme.js", "orders/ord_1")} == {"no-cache"}


def test_no_lock_names_a_registry_of_some_machine() -> None:
    lock = (web.FOLDER / "package-lock.json").read_text("utf-8")
    assert set(re.findall(r'"resolved": "https?://([^/"]+)', lock)) <= {"registry.npmjs.org"}
    versions = json.loads((web.FOLDER / "package.json").read_text("utf-8"))
    for name, version in (versions["dependencies"] | versions["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} is not pinned"


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    page = (web.FOLDER / "index.html").read_text("utf-8")
    assert "<style" not in page
    assert "style=" not in page
    assert all('src="' in tag for tag in re.findall(r"<script[^>]*>", page))


# --- On AWS -----------------------------------------------------------------------------------------------------------


def hosting() -> tuple[Stack, Stack]:
    """The root and the console's hosting, as they would be deployed."""
    stacks = deploy(transformed(), "tiffin", EVERYTHING)
    return stacks[0], next(stack for stack in stacks if stack.path == ("ConsoleService",))


def made(stack: Stack, logical_id: str) -> dict[str, Any]:
    properties: dict[str, Any] = stack.resolved["Resources"][logical_id]["Properties"]
    return properties


def test_cloudfront_says_the_same_as_the_laptop() -> None:
    root, console = hosting()
    policy = made(console, "Headers")["ResponseHeadersPolicyConfig"]
    security, custom = policy["SecurityHeadersConfig"], policy["CustomHeadersConfig"]["Items"]
    assert all(each["Override"] for each in (*security.values(), *custom))
    hsts = security["StrictTransportSecurity"]
    said = {each["Header"]: each["Value"] for each in custom} | {
        "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "Strict-Transport-Security": f"max-age={hsts['AccessControlMaxAgeSec']}; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
    }
    assert security.keys() == {
        "ContentSecurityPolicy", "StrictTransportSecurity", "ContentTypeOptions", "FrameOptions", "ReferrerPolicy"
    }  # fmt: skip
    outputs = {name: output["Value"] for name, output in root.resolved["Outputs"].items()}
    wanted = headers(web.configuration(outputs)) | {"Strict-Transport-Security": hsts_of_the_list()}
    ours, theirs = said.pop("Content-Security-Policy"), wanted.pop("Content-Security-Policy")
    assert said == wanted
    assert {name: set(value.split()) for name, value in parts(ours).items()} == {
        name: set(value.split()) for name, value in parts(theirs).items()
    }


def hsts_of_the_list() -> str:
    said: str = json.loads((web.FOLDER / "headers.json").read_text("utf-8"))["headers"]["Strict-Transport-Security"]
    return said


def test_only_the_distribution_reads_the_files_and_each_answer_has_the_headers() -> None:
    _, console = hosting()
    bucket = made(console, "FilesBucket")["PublicAccessBlockConfiguration"]
    assert all(bucket[each] for each in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls"))
    allowed, refused = made(console, "FilesBucketPolicy")["PolicyDocument"]["Statement"]
    assert (allowed["Principal"], allowed["Condition"]["StringEquals"].keys()) == (
        {"Service": "cloudfront.amazonaws.com"}, {"aws:SourceArn"}
    )  # fmt: skip
    assert refused["Effect"] == "Deny"
    distribution = made(console, "Distribution")["DistributionConfig"]
    behaviour = distribution["DefaultCacheBehavior"]
    assert behaviour["ViewerProtocolPolicy"] == "redirect-to-https"
    assert behaviour["ResponseHeadersPolicyId"]
    assert "CacheBehaviors" not in distribution
    assert distribution["Origins"][0]["OriginAccessControlId"]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/", "/index.html"),
        ("/orders", "/index.html"),
        ("/orders/ord_1", "/index.html"),
        ("/signed-in", "/index.html"),
        ("/v1.2/orders", "/index.html"),
        ("/config.json", "/config.json"),
        ("/assets/index-abc.js", "/assets/index-abc.js"),
    ],
)
def test_a_page_is_answered_with_the_one_page_and_a_file_with_itself(path: str, file: str) -> None:
    _, console = hosting()
    code = made(console, "Pages")["FunctionCode"]
    asked = json.dumps({"request": {"uri": path}})
    node = Path(sys.executable).parent / "node"
    done = subprocess.run(
        [node, "-e", f"{code}\nconsole.log(handler({asked}).uri)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == file
