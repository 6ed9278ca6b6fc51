"""What the deployed functions' layers hold: what their bills of materials list, and Stripe's for payments alone."""

import base64
import hashlib
import io
import json
import re
import zipfile
from functools import cache

import pytest
from laptop import Stack
from laptop.deployment import ARTIFACTS

pytestmark = pytest.mark.laptop("inside")


def test_each_function_ships_what_its_layers_bill_lists_and_payments_alone_stripe(stack: Stack) -> None:
    functions = stack.client("lambda")

    # What was uploaded. Where a layer's content can be fetched from is a signed URL on AWS alone.
    s3 = stack.client("s3")
    uploaded = {}
    for item in s3.list_objects_v2(Bucket=ARTIFACTS)["Contents"]:
        data = s3.get_object(Bucket=ARTIFACTS, Key=item["Key"])["Body"].read()
        uploaded[base64.b64encode(hashlib.sha256(data).digest()).decode()] = data

    @cache
    def content(arn: str) -> zipfile.ZipFile:
        layer = functions.get_layer_version_by_arn(Arn=arn)
        return zipfile.ZipFile(io.BytesIO(uploaded[layer["Content"]["CodeSha256"]]))

    shipped = {}
    for function in functions.list_functions()["Functions"]:
        packages: set[str] = set()
        for layer in function["Layers"]:
            archive = content(layer["Arn"])
            (bill,) = (name for name in archive.namelist() if name.startswith("sbom/"))
            listed = {part["purl"] for part in json.loads(archive.read(bill))["components"]}
            found = re.findall(r"(?m)^python/([^/]+)-([^/-]+)\.dist-info/METADATA$", "\n".join(archive.namelist()))
            assert {f"pkg:pypi/{name.lower().replace('_', '-')}@{version}" for name, version in found} == listed
            packages |= {name for name, _ in found}
        shipped[function["FunctionName"]] = packages

    assert len(shipped) > 10
    assert all({"pydantic", "aws_lambda_powertools"} <= packages for packages in shipped.values())
    payments = [name for name, packages in shipped.items() if packages & {"stripe", "requests"}]
    assert len(payments) == 1
    assert "PaymentsFunction" in payments[0]
