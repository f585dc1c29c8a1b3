terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

variable "broken" {
  default = false
}

resource "aws_kms_key" "a" {
  description         = "a"
  enable_key_rotation = true
}

resource "aws_kms_key" "b" {
  description = "b"
  lifecycle {
    precondition {
      condition     = !var.broken
      error_message = "broken"
    }
  }
}
