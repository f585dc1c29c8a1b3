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

variable "enabled" {
  default = true
}

module "keys" {
  source   = "./keys"
  for_each = { "a.b" = true, "c\"]d" = false }
  rotate   = each.value
}

module "counted" {
  source = "./keys"
  count  = 2
  policy = jsonencode({ Version = "2012-10-17", Statement = [] })
  name   = "counted${count.index}"
}

module "none" {
  source = "./keys"
  count  = var.enabled ? 0 : 1
}
