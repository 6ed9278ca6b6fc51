"""What `make publish` runs: put the console, as it is built, where a stack serves it from.

    .venv/bin/python scripts/publish.py --stack tiffin-prod --region eu-central-1 [--profile NAME]

The stack has a console if it was deployed with `Console=true`. On the laptop `make up` builds and serves it.
"""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from laptop import web
from laptop.emulator.web_server import PAGE, caching, content_type
from operations import deployed
from operations.deployed import Deployed
from operations.trouble import TROUBLE, plain

# Whoever has a page of before open still asks for its parts, which have other names by now.
STILL_ASKED_FOR = timedelta(days=7)


def publish(stack: Deployed, now: datetime) -> tuple[int, int]:
    """Put what was built into the stack's bucket, and take out what no page asks for any more.

    Args:
        stack: one with a console.
        now: the moment, aware.

    Returns:
        How many files it has now, and how many were taken out.

    Raises:
        NotReached: the stack has no console.
        ClientError, BotoCoreError: S3 does not take them.
    """
    s3, bucket = stack.client("s3"), stack.outputs["ConsoleBucketName"]
    files = {path.relative_to(web.DIST).as_posix(): path.read_bytes() for path in web.files()}
    files[web.CONFIG] = json.dumps(web.configuration(stack.outputs), indent=2).encode()
    # The page comes last: what it asks for is there by then.
    for name in sorted(files, key=lambda name: (name == PAGE, name)):
        s3.put_object(
            Bucket=bucket, Key=name, Body=files[name], ContentType=content_type(name), CacheControl=caching(name)
        )
    pages: Any = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    versions = [one for page in pages for one in page.get("Versions", [])]
    published = sorted(one["LastModified"] for one in versions if one["Key"] == PAGE)

    def is_asked_for(since: datetime) -> bool:
        # Its own page came right after it; the one after that took its place.
        replaced = [moment for moment in published if moment >= since][1:2]
        return not replaced or replaced[0] > now - STILL_ASKED_FOR

    former = [
        one["Key"]
        for one in versions
        if one["IsLatest"] and one["Key"] not in files and not is_asked_for(one["LastModified"])
    ]
    for name in former:
        s3.delete_object(Bucket=bucket, Key=name)
    return len(files), len(former)


def still_to_do(stack: Deployed) -> str | None:
    """What a deployment must be told before the console can call the APIs; None if it knows where the console is."""
    url, client = stack.outputs["WebUrl"], stack.client("cloudformation")
    (described,) = client.describe_stacks(StackName=stack.name)["Stacks"]
    known = {one["ParameterKey"]: one["ParameterValue"] for one in described.get("Parameters", [])}
    signed_in = web.signed_in(url)
    if known.get("ConsoleOrigin") == url and signed_in in known.get("CallbackUrls", "").split(","):
        return None
    callbacks = ",".join([*filter(None, known.get("CallbackUrls", "").split(",")), signed_in])
    return f"--parameter-overrides Console=true ConsoleOrigin={url} CallbackUrls={callbacks}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Put the console where a stack serves it from.")
    deployed.add_options(parser)
    options = parser.parse_args(arguments)
    if not deployed.on_aws(options):
        parser.error("say which stack: on the laptop, `make up` builds and serves the console")
    try:
        stack = deployed.reach(options)
        files, former = publish(stack, datetime.now(UTC))
        missing = still_to_do(stack)
    except TROUBLE as error:
        print(f"✗ {plain(error)}", file=sys.stderr)
        return 1
    gone = f"; {former} of before were taken out" if former else ""
    print(f"✓ {files} files are published{gone}: {stack.outputs['WebUrl']}")
    if missing:
        print("The APIs and the sign-in pages do not know of it yet. Deploy once more, with these beside your own:")
        print(f"  sam deploy {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
