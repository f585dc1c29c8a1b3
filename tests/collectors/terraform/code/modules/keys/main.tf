terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "rotate" {
  default = true
}

variable "policy" {
  type    = string
  default = null
}

variable "name" {
  default = null
}

resource "aws_kms_key" "k" {
  description         = coalesce(var.name, "key-${var.rotate}")
  enable_key_rotation = var.rotate
  policy              = var.policy
}
