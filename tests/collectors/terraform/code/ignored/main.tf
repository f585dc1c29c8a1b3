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

resource "aws_iam_role" "constant" {
  name               = "constant"
  assume_role_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  lifecycle {
    ignore_changes = [assume_role_policy]
  }
}

resource "aws_iam_role" "expression" {
  name               = "expression"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
  lifecycle {
    ignore_changes = [assume_role_policy]
  }
}
