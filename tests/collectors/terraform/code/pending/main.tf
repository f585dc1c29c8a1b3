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

variable "rotate" {
  default = false
}

resource "aws_kms_key" "k" {
  description         = "k"
  enable_key_rotation = var.rotate
}

resource "aws_kms_key" "gone" {
  count       = var.rotate ? 0 : 1
  description = "gone"
}
