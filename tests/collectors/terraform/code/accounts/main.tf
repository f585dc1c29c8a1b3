terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region  = "eu-west-1"
  account = "111111111111"
}

provider "aws" {
  alias   = "other"
  region  = "eu-west-1"
  account = "222222222222"
}

provider "aws" {
  alias     = "gov"
  region    = "us-gov-west-1"
  partition = "aws-us-gov"
  account   = "333333333333"
}

resource "aws_iam_role" "here" {
  name               = "deployer"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }] })
}

resource "aws_iam_role_policy_attachment" "here" {
  role       = aws_iam_role.here.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}

module "there" {
  source = "./role"
  providers = {
    aws = aws.other
  }
}

resource "aws_s3_bucket_versioning" "gov" {
  provider = aws.gov
  bucket   = "of-another-workspace"
  versioning_configuration {
    status = "Enabled"
  }
}
