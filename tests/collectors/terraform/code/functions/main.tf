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

resource "aws_lambda_function" "image" {
  function_name = "image"
  role          = "arn:aws:iam::111111111111:role/f"
  runtime       = ""
}

resource "aws_lambda_function" "zip" {
  function_name = "zip"
  role          = "arn:aws:iam::111111111111:role/f"
  runtime       = "python3.13"
  handler       = "main.handler"
  timeout       = 30
  vpc_config {
    subnet_ids         = ["subnet-2", "subnet-1"]
    security_group_ids = ["sg-1"]
  }
}
