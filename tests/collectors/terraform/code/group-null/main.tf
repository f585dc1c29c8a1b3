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

variable "none" {
  default = null
}

variable "closed" {
  default = true
}

resource "aws_security_group" "constant" {
  name    = "sg-1"
  ingress = null
}

resource "aws_security_group" "variable" {
  name    = "sg-2"
  ingress = var.none
}

resource "aws_security_group" "condition" {
  name = "sg-3"
  ingress = var.closed ? null : [{
    from_port        = 1, to_port = 1, protocol = "tcp", cidr_blocks = [], description = "", ipv6_cidr_blocks = [],
    prefix_list_ids  = [], security_groups = [], self = false
  }]
}
