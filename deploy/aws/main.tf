# The role that Driftline takes to read an account: in this account, and by a StackSet in every other of the organization.
# Apply it in the management account (a service-managed StackSet never reaches that one), or in a delegated administrator's.
# Not proven: `terraform validate` needs the provider's schema, which was not at hand; `terraform fmt` and the policies were.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_partition" "current" {}

resource "aws_iam_policy" "reader" {
  for_each    = fileset(path.module, "reader-policy-*.json")
  name        = "${var.role_name}-${trimsuffix(each.value, ".json")}"
  description = "The calls that Driftline makes; they read configurations."
  policy      = file("${path.module}/${each.value}")
}

resource "aws_iam_role" "reader" {
  name        = var.role_name
  description = "Taken by Driftline to read this account's configuration."
  assume_role_policy = templatefile("${path.module}/trust-policy.json.tftpl", {
    caller_account = var.caller_account
    external_id    = var.external_id
    partition      = data.aws_partition.current.partition
  })
}

resource "aws_iam_role_policy_attachment" "reader" {
  for_each   = aws_iam_policy.reader
  role       = aws_iam_role.reader.name
  policy_arn = each.value.arn
}

# Every account below these units, those to come included.
resource "aws_cloudformation_stack_set" "reader" {
  count            = length(var.organizational_units) > 0 ? 1 : 0
  name             = "driftline-reader"
  description      = "The role that Driftline takes to read an account."
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  template_body    = file("${path.module}/reader-role.yaml")
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  parameters = {
    CallerAccount = var.caller_account
    ExternalId    = var.external_id
    RoleName      = var.role_name
  }
  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }
  lifecycle {
    ignore_changes = [administration_role_arn]
  }
}

# IAM is global: one region, this provider's, is enough.
resource "aws_cloudformation_stack_set_instance" "reader" {
  count          = length(aws_cloudformation_stack_set.reader)
  stack_set_name = aws_cloudformation_stack_set.reader[0].name
  call_as        = var.call_as
  deployment_targets {
    organizational_unit_ids = var.organizational_units
  }
}
