"""Where secrets at times stand in plain text: stacks, parameters, definitions of jobs and of pipelines."""

from tests.collectors.moto import Moto

TAGS = [{"Key": "env", "Value": "prod"}]
TEMPLATE = """{
 "Parameters": {"Size": {"Type": "String", "Default": "small"}},
 "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
 "Outputs": {"Size": {"Value": {"Ref": "Size"}}}
}"""


def furnish(moto: Moto) -> None:
    cloudformation = moto.client("cloudformation")
    cloudformation.create_stack(StackName="bare", TemplateBody='{"Resources": {"Own": {"Type": "AWS::SNS::Topic"}}}')  # fmt: skip
    parameters = [{"ParameterKey": "Size", "ParameterValue": "large"}]
    cloudformation.create_stack(StackName="full", TemplateBody=TEMPLATE, Parameters=parameters, Tags=TAGS)  # fmt: skip
    ssm = moto.client("ssm")
    ssm.put_parameter(Name="/app/size", Type="String", Value="large", Tags=TAGS, Description="x")
    batch = moto.client("batch")
    environment = [{"name": "SIZE", "value": "large"}]
    batch.register_job_definition(
        jobDefinitionName="full", type="container", tags={"env": "prod"}, parameters={"size": "large"},
        containerProperties={"image": "app", "vcpus": 1, "memory": 64, "command": ["run"], "environment": environment},
    )  # fmt: skip
    pipelines = moto.client("datapipeline")
    made = pipelines.create_pipeline(name="full", uniqueId="full")["pipelineId"]
    fields = [{"key": "size", "stringValue": "large"}]
    pipelines.put_pipeline_definition(pipelineId=made, pipelineObjects=[{"id": "Default", "name": "Default", "fields": fields}])  # fmt: skip
