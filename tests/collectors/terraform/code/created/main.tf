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

resource "terraform_data" "later" {
  input = "arn:aws:iam::111111111111:role/later"
}

resource "aws_lambda_function" "f" {
  function_name = "f"
  role          = terraform_data.later.output
}
