terraform {
  required_providers {
    aws = {
      source                = "hashicorp/aws"
      configuration_aliases = [aws.x]
    }
  }
}
resource "aws_iam_role" "r" {
  provider           = aws.x
  name               = "r"
  assume_role_policy = "{}"
}
resource "aws_iam_role_policy" "p" {
  provider = aws.x
  role     = aws_iam_role.r.name
  name     = "p"
  policy   = "{}"
}
