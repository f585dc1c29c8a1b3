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

variable "tokens" {
  default = "required"
}

locals {
  limit = 1
}

resource "aws_instance" "block" {
  ami = "ami-1"
  metadata_options {
    http_tokens                 = var.tokens
    http_put_response_hop_limit = local.limit
  }
}

resource "aws_instance" "dynamic" {
  ami = "ami-2"
  dynamic "metadata_options" {
    for_each = ["required"]
    content {
      http_tokens = metadata_options.value
    }
  }
}
