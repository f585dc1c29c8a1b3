# Change events: the central bus and queues in this account and region, and the forwarding rule in every account and region
# of the organization. Apply it in the management account or a delegated administrator's.
# Not proven: `terraform validate` needs the provider's schema, which was not at hand; the templates were, on a simulated AWS.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "organization_id" {
  description = "Whose accounts may send events (o-…)."
  type        = string
}

variable "organizational_units" {
  description = "Organizational units, or the root, whose accounts send their events."
  type        = list(string)
}

variable "regions" {
  description = "Regions whose events are sent. us-east-1 must be among them: global services tell theirs there."
  type        = list(string)
  validation {
    condition     = contains(var.regions, "us-east-1")
    error_message = "IAM, CloudFront and the other global services send their events in us-east-1."
  }
}

variable "read_events" {
  description = "Also events of calls that only read: detections may need them, and they are many."
  type        = bool
  default     = false
}

variable "trail_bucket" {
  description = "The bucket of an organization trail whose log files are read too; empty for none."
  type        = string
  default     = ""
}

variable "data_event_objects" {
  description = "Objects of S3 whose reading and writing is heard of, by the beginning of their ARNs (arn:aws:s3:::customer-data/); each event is billed. Needs trail_bucket, and the management account."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.data_event_objects : can(regex("^arn:aws[a-z-]*:s3:::[^/]+/", arn))])
    error_message = "Each must be the ARN of a bucket with a slash behind it, and perhaps a prefix: without the slash other buckets whose names begin alike are meant too."
  }
}

variable "call_as" {
  description = "SELF in the management account, DELEGATED_ADMIN in a delegated one."
  type        = string
  default     = "SELF"
}

resource "aws_cloudformation_stack" "central" {
  name          = "driftline-events-central"
  template_body = file("${path.module}/../events-central.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters = {
    OrganizationId = var.organization_id
    TrailBucket    = var.trail_bucket
  }
}

resource "aws_cloudformation_stack_set" "forwarder" {
  name             = "driftline-events-forwarder"
  description      = "Sends audit events to Driftline's central bus."
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  template_body    = file("${path.module}/../events-forwarder.yaml")
  capabilities     = ["CAPABILITY_IAM"]
  parameters = {
    BusArn     = aws_cloudformation_stack.central.outputs["BusArn"]
    ReadEvents = tostring(var.read_events)
  }
  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }
  lifecycle {
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_set_instance" "forwarder" {
  for_each       = toset(var.regions)
  stack_set_name = aws_cloudformation_stack_set.forwarder.name
  region         = each.value
  call_as        = var.call_as
  deployment_targets {
    organizational_unit_ids = var.organizational_units
  }
}

# A service-managed StackSet never reaches the management account: there, the same template in every region. (From another
# account than that one, create these stacks there by hand.)
resource "aws_cloudformation_stack" "here" {
  count         = var.call_as == "SELF" ? 1 : 0
  name          = "driftline-events-forwarder"
  template_body = file("${path.module}/../events-forwarder.yaml")
  capabilities  = ["CAPABILITY_IAM"]
  parameters = {
    BusArn     = aws_cloudformation_stack.central.outputs["BusArn"]
    ReadEvents = tostring(var.read_events)
  }
}

resource "aws_cloudformation_stack" "data" {
  count         = length(var.data_event_objects) == 0 ? 0 : 1
  name          = "driftline-events-data"
  template_body = file("${path.module}/../events-data.yaml")
  parameters = {
    TrailBucket  = var.trail_bucket
    Objects      = join(",", var.data_event_objects)
    Organization = tostring(var.call_as == "SELF")
  }
  lifecycle {
    precondition {
      condition     = var.trail_bucket != ""
      error_message = "Data events come by a trail's log files: name its bucket (trail_bucket)."
    }
  }
}

resource "aws_s3_bucket_notification" "logs" {
  count  = var.trail_bucket == "" ? 0 : 1
  bucket = var.trail_bucket
  queue {
    queue_arn     = aws_cloudformation_stack.central.outputs["LogQueueArn"]
    events        = ["s3:ObjectCreated:*"]
    filter_suffix = ".json.gz"
  }
}

output "queue_url" {
  description = "For aws.events.queues."
  value       = aws_cloudformation_stack.central.outputs["QueueUrl"]
}

output "collector_policy_arn" {
  description = "To be attached to the collector's identity."
  value       = aws_cloudformation_stack.central.outputs["CollectorPolicyArn"]
}
