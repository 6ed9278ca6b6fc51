"""Fillers best looked at alone: nested templates, shared layers, settings of a method, delays of a retry."""

import io
import json
import zipfile
from typing import Any

import pytest
from laptop.emulator.gaps import method_settings, retry_delays
from ministack.services import apigateway_v1, stepfunctions
from ministack.services.cloudformation import provisioners
from worlds.emulator import World, unique

CHILD = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"Greeting": {"Type": "String"}},
    "Resources": {
        "Function": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "InlineCode": "import os\ndef handler(event, context):\n    return os.environ['GREETING']",
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Environment": {"Variables": {"GREETING": {"Ref": "Greeting"}}},
            },
        }
    },
    "Outputs": {"Function": {"Value": {"Ref": "Function"}}},
}


class TestNestedApplication:
    def test_a_nested_template_may_use_sam(self, world: World) -> None:
        s3, stacks, bucket = world.client("s3"), world.client("cloudformation"), unique("templates")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        s3.put_object(Bucket=bucket, Key="child.json", Body=json.dumps(CHILD))
        location = {"Bucket": bucket, "Key": "child.json"}
        root = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": {
                "Child": {
                    "Type": "AWS::Serverless::Application",
                    "Properties": {
                        "Location": f"{world.endpoint}/{location['Bucket']}/{location['Key']}",
                        "Parameters": {"Greeting": "hello"},
                    },
                }
            },
            "Outputs": {"Function": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Function"]}}},
        }
        name = unique("stack")
        stacks.create_stack(
            StackName=name,
            TemplateBody=json.dumps(root),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        stack = world.settled(name)

        assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
        function = stack["Outputs"][0]["OutputValue"]
        assert json.load(world.functions.invoke(FunctionName=function)["Payload"]) == "hello"


class TestLayer:
    def test_functions_share_one_copy_of_a_layer(self, world: World) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as out:
            out.writestr("python/shared_module.py", "NAME = 'layer'\n")
        layer = world.functions.publish_layer_version(
            LayerName=unique("layer"), Content={"ZipFile": archive.getvalue()}
        )
        source = """
            import os, shared_module
            def handler(event, context):
                return [shared_module.NAME, os.path.realpath(shared_module.__file__)]
        """
        seen = []
        for _ in range(2):
            function = world.function(source)
            world.functions.update_function_configuration(FunctionName=function, Layers=[layer["LayerVersionArn"]])
            seen.append(json.load(world.functions.invoke(FunctionName=function)["Payload"]))

        assert seen[0][0] == "layer"
        assert seen[0] == seen[1]


class TestMethodSettings:
    @pytest.mark.parametrize(
        ("written", "path"),
        [("/~1orders", "/orders"), ("/~1orders~1{order_id}~1accept", "/orders/{order_id}/accept"), ("/", "/")],
    )
    def test_a_method_has_its_own_settings_and_all_others_those_of_all(
        self, monkeypatch: pytest.MonkeyPatch, written: str, path: str
    ) -> None:
        monkeypatch.setattr(provisioners, "_apigw_method_settings", provisioners._apigw_method_settings)
        method_settings.fill()
        template = [
            {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 10},
            {"ResourcePath": written, "HttpMethod": "POST", "ThrottlingRateLimit": 5},
        ]

        stage = {"methodSettings": provisioners._apigw_method_settings(template)}

        def limit(resource: str, method: str) -> Any:
            return apigateway_v1._method_throttle_settings(stage, resource, method)["throttlingRateLimit"]

        assert (limit(path, "POST"), limit(path, "GET"), limit("/restaurants", "POST")) == (5, 10, 10)


class TestRetryDelay:
    """MiniStack sleeps for IntervalSeconds times BackoffRate to the power of the attempt: it is handed the result."""

    @pytest.fixture(autouse=True)
    def _filled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stepfunctions, "_find_matching_retrier", stepfunctions._find_matching_retrier)
        retry_delays.fill()

    @staticmethod
    def delay(attempt: int, **retrier: Any) -> float:
        found, index = stepfunctions._find_matching_retrier([{"ErrorEquals": ["E"], **retrier}], "E", {0: attempt})
        assert index == 0
        return float(found["IntervalSeconds"] * found["BackoffRate"] ** attempt)

    @pytest.mark.parametrize(("attempt", "seconds"), [(0, 2), (1, 4), (2, 8), (3, 10), (9, 10)])
    def test_it_grows_up_to_its_cap(self, attempt: int, seconds: float) -> None:
        assert self.delay(attempt, IntervalSeconds=2, BackoffRate=2, MaxDelaySeconds=10, MaxAttempts=20) == seconds

    def test_jitter_spreads_it_below_the_full_delay(self) -> None:
        fields = {"IntervalSeconds": 2, "BackoffRate": 2, "MaxDelaySeconds": 10, "MaxAttempts": 20}
        delays = [self.delay(9, JitterStrategy="FULL", **fields) for _ in range(200)]

        assert 0 <= min(delays) < 2.5
        assert 7.5 < max(delays) <= 10

    def test_it_is_given_up_after_max_attempts(self) -> None:
        given_up = stepfunctions._find_matching_retrier([{"ErrorEquals": ["E"], "MaxAttempts": 1}], "E", {0: 1})

        assert given_up == (None, -1)
