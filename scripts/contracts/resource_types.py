"""What a resource is called once it is made: its name, what `Ref` answers, and its attributes.

The CloudFormation user guide has a page for each type; "Return values" says what `Ref` and `Fn::GetAtt` answer.
"""

from typing import NamedTuple

_ARN = "arn:{partition}:%s:{region}:{account}:%s"


class Made(NamedTuple):
    """What is known of a type.

    Attributes:
        ref: what `Ref` answers; `{name}` is the name that the template gives, or CloudFormation makes; `{function}` and
            `{machine}`, of a version or an alias, what it is of.
        attributes: what `Fn::GetAtt` answers.
        longest: the longest name that the service takes, to which CloudFormation cuts the one that it makes.
    """

    ref: str = "{name}"
    attributes: dict[str, str] = {}  # noqa: RUF012
    longest: int = 255


# The property by which a resource is named, where a template names it itself.
NAMED_BY = {
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::ApiGateway::Stage": "StageName",
    "AWS::ApiGatewayV2::Api": "Name",
    "AWS::ApiGatewayV2::Stage": "StageName",
    "AWS::Budgets::Budget": "Budget.BudgetName",
    "AWS::CloudFront::Function": "Name",
    "AWS::CloudFront::OriginAccessControl": "OriginAccessControlConfig.Name",
    "AWS::CloudFront::ResponseHeadersPolicy": "ResponseHeadersPolicyConfig.Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::CompositeAlarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::Cognito::UserPool": "UserPoolName",
    "AWS::Cognito::UserPoolClient": "ClientName",
    "AWS::Cognito::UserPoolDomain": "Domain",
    "AWS::Cognito::UserPoolGroup": "GroupName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::Events::Archive": "ArchiveName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Alias": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::QueryDefinition": "Name",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SES::ConfigurationSet": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::StepFunctions::StateMachineAlias": "Name",
    "AWS::XRay::Group": "GroupName",
    "AWS::XRay::SamplingRule": "SamplingRule.RuleName",
}

TYPES = {
    "AWS::ApiGateway::Deployment": Made("{id}"),
    "AWS::ApiGateway::RestApi": Made("{id}", {"RestApiId": "{id}", "RootResourceId": "{id}"}),
    "AWS::ApiGatewayV2::Api": Made("{id}", {"ApiId": "{id}"}),
    "AWS::ApiGatewayV2::Integration": Made("{id}", {"IntegrationId": "{id}"}),
    "AWS::ApiGatewayV2::Route": Made("{id}", {"RouteId": "{id}"}),
    "AWS::CloudFormation::Stack": Made(_ARN % ("cloudformation", "stack/{name}/{uuid}"), longest=128),
    "AWS::CloudFront::Distribution": Made("{id}", {"Id": "{id}", "DomainName": "{id}.cloudfront.net"}),
    "AWS::CloudFront::Function": Made(
        "arn:{partition}:cloudfront::{account}:function/{name}",
        {"FunctionMetadata.FunctionARN": "arn:{partition}:cloudfront::{account}:function/{name}"},
        longest=64,
    ),
    "AWS::CloudFront::OriginAccessControl": Made("{id}", {"Id": "{id}"}, longest=64),
    "AWS::CloudFront::ResponseHeadersPolicy": Made("{id}", {"Id": "{id}"}, longest=128),
    "AWS::CloudWatch::Alarm": Made(attributes={"Arn": _ARN % ("cloudwatch", "alarm:{name}")}),
    "AWS::Cognito::UserPool": Made(
        "{region}_{id}", {"Arn": _ARN % ("cognito-idp", "userpool/{region}_{id}"), "UserPoolId": "{region}_{id}"}
    ),
    "AWS::Cognito::UserPoolClient": Made("{id}", {"ClientId": "{id}"}),
    "AWS::DynamoDB::Table": Made(
        attributes={
            "Arn": _ARN % ("dynamodb", "table/{name}"),
            "StreamArn": _ARN % ("dynamodb", "table/{name}/stream/2026-05-04T18:30:00.000"),
        }
    ),
    "AWS::EC2::RouteTable": Made("rtb-{hex}", {"RouteTableId": "rtb-{hex}"}),
    "AWS::EC2::SecurityGroup": Made("sg-{hex}", {"GroupId": "sg-{hex}"}),
    "AWS::EC2::Subnet": Made("subnet-{hex}", {"SubnetId": "subnet-{hex}"}),
    "AWS::EC2::VPC": Made("vpc-{hex}", {"VpcId": "vpc-{hex}", "CidrBlock": "10.0.0.0/16"}),
    "AWS::EC2::VPCEndpoint": Made("vpce-{hex}", {"Id": "vpce-{hex}"}),
    "AWS::EFS::AccessPoint": Made(
        "fsap-{hex}",
        {"AccessPointId": "fsap-{hex}", "Arn": _ARN % ("elasticfilesystem", "access-point/fsap-{hex}")},
    ),
    "AWS::EFS::FileSystem": Made(
        "fs-{hex}", {"FileSystemId": "fs-{hex}", "Arn": _ARN % ("elasticfilesystem", "file-system/fs-{hex}")}
    ),
    "AWS::EFS::MountTarget": Made("fsmt-{hex}", {"Id": "fsmt-{hex}", "IpAddress": "10.0.0.10"}),
    "AWS::Events::Archive": Made(attributes={"Arn": _ARN % ("events", "archive/{name}")}, longest=48),
    "AWS::Events::EventBus": Made(attributes={"Arn": _ARN % ("events", "event-bus/{name}"), "Name": "{name}"}),
    "AWS::Events::Rule": Made(attributes={"Arn": _ARN % ("events", "rule/{bus}{name}")}, longest=64),
    "AWS::IAM::Role": Made(attributes={"Arn": "arn:{partition}:iam::{account}:role/{name}"}, longest=64),
    "AWS::Kinesis::Stream": Made(attributes={"Arn": _ARN % ("kinesis", "stream/{name}")}, longest=128),
    "AWS::Lambda::Function": Made(attributes={"Arn": _ARN % ("lambda", "function:{name}")}, longest=64),
    "AWS::Lambda::Alias": Made(_ARN % ("lambda", "function:{function}:{name}")),
    "AWS::Lambda::Version": Made(_ARN % ("lambda", "function:{function}:1"), {"Version": "1"}),
    "AWS::Lambda::LayerVersion": Made(
        _ARN % ("lambda", "layer:{name}:1"),
        {"Arn": _ARN % ("lambda", "layer:{name}:1"), "LayerVersionArn": _ARN % ("lambda", "layer:{name}:1")},
    ),
    "AWS::Logs::LogGroup": Made(attributes={"Arn": _ARN % ("logs", "log-group:{name}:*")}),
    "AWS::Logs::QueryDefinition": Made("{id}", {"QueryDefinitionId": "{id}"}),
    # A name in small letters, cut to 63 (S3 user guide, "General purpose bucket naming rules").
    "AWS::S3::Bucket": Made(
        attributes={
            "Arn": "arn:{partition}:s3:::{name}",
            "RegionalDomainName": "{name}.s3.{region}.amazonaws.com",
        },
        longest=63,
    ),
    "AWS::SNS::Topic": Made(
        _ARN % ("sns", "{name}"), {"TopicArn": _ARN % ("sns", "{name}"), "TopicName": "{name}"}, longest=256
    ),
    "AWS::SQS::Queue": Made(
        "https://sqs.{region}.amazonaws.com/{account}/{name}",
        {
            "Arn": _ARN % ("sqs", "{name}"),
            "QueueName": "{name}",
            "QueueUrl": "https://sqs.{region}.amazonaws.com/{account}/{name}",
        },
        longest=80,
    ),
    "AWS::Scheduler::Schedule": Made(attributes={"Arn": _ARN % ("scheduler", "schedule/default/{name}")}, longest=64),
    "AWS::StepFunctions::StateMachine": Made(
        _ARN % ("states", "stateMachine:{name}"),
        {"Arn": _ARN % ("states", "stateMachine:{name}"), "Name": "{name}", "StateMachineRevisionId": "{uuid}"},
        longest=80,
    ),
    "AWS::StepFunctions::StateMachineAlias": Made("{machine}:{name}", {"Arn": "{machine}:{name}"}),
    "AWS::StepFunctions::StateMachineVersion": Made("{machine}:1", {"Arn": "{machine}:1"}),
}
