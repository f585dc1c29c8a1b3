terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
variable "policy" {}
resource "aws_kms_key" "deep" {
  description = "k11"
  policy      = var.policy
}
