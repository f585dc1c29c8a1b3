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

provider "aws" {
  alias   = "two"
  region  = "us-east-1"
  account = "222222222222"
}

variable "env" {
  default = "prod"
}
variable "settings" {
  type    = object({ policy = optional(string), name = string })
  default = { name = "x" }
}
variable "secret_policy" {
  sensitive = true
  default   = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
}
variable "cidr" {
  default = "10.0.0.0/8"
}
locals {
  maybe = null
}

module "doc" {
  source = "./doc"
}
module "a" {
  source = "./a"
}
module "ali" {
  source    = "./ali"
  providers = { aws.x = aws.two }
}

resource "aws_kms_key" "module_output" {
  description = "k1"
  policy      = module.doc.json
}
resource "aws_kms_key" "each" {
  for_each    = { p = { policy = null }, q = { policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" } }
  description = "k2-${each.key}"
  policy      = each.value.policy
}
resource "aws_kms_key" "cond" {
  description = "k3"
  policy      = var.env == "prod" ? null : "{}"
}
resource "aws_kms_key" "tried" {
  description = "k4"
  policy      = try(var.settings.policy, null)
}
resource "aws_kms_key" "object" {
  description = "k5"
  policy      = var.settings.policy
}
resource "aws_kms_key" "loc" {
  description = "k6"
  policy      = local.maybe
}
resource "aws_kms_key" "heredoc" {
  description = "k7"
  policy      = <<-X
    {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"${aws_iam_role.r.arn}"},"Action":"kms:*","Resource":"*"}]}
  X
}
resource "aws_kms_key" "secret" {
  description = "k8"
  policy      = var.secret_policy
}
resource "aws_kms_key" "indexed" {
  count       = 2
  description = "k10-${count.index}"
  policy      = [null, "{\"Version\":\"2012-10-17\",\"Statement\":[]}"][count.index]
}
resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = "{}"
  dynamic "inline_policy" {
    for_each = ["x"]
    content {
      name   = inline_policy.value
      policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    }
  }
}
resource "aws_security_group" "ignored_const" {
  name = "sg-c"
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
  lifecycle {
    ignore_changes = [ingress]
  }
}
resource "aws_security_group" "ignored_var" {
  name = "sg-v"
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = [var.cidr]
  }
  lifecycle {
    ignore_changes = [ingress]
  }
}
resource "aws_instance" "empty_block" {
  ami = "ami-9"
  metadata_options {}
}
resource "aws_db_instance" "ign" {
  identifier          = "ign"
  instance_class      = "a"
  publicly_accessible = false
  lifecycle {
    ignore_changes = all
  }
}
import {
  to = aws_kms_key.imported
  id = "imported"
}
resource "aws_kms_key" "imported" {
  description         = "imported"
  enable_key_rotation = true
}
