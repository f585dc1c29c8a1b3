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

variable "partner" {
  default   = "203.0.113.7/32"
  sensitive = true
}

variable "status" {
  default   = "Enabled"
  sensitive = true
}

resource "aws_security_group" "g" {
  name = "sg-1"
  ingress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = [var.partner]
  }
  egress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}

resource "aws_s3_bucket" "b" {
  bucket = "b"
}

resource "aws_s3_bucket_versioning" "hidden" {
  bucket = aws_s3_bucket.b.bucket
  versioning_configuration {
    status = var.status
  }
}

resource "aws_s3_bucket" "c" {
  bucket = "c"
}

resource "aws_s3_bucket_versioning" "plain" {
  bucket = aws_s3_bucket.c.bucket
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_db_instance" "d" {
  identifier     = "d"
  instance_class = "db.t3.micro"
  password       = "redacted"
  multi_az       = true
}
