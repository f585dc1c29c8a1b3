output "role_arn" {
  description = "The role in this account; the others' differ in the account only."
  value       = aws_iam_role.reader.arn
}

output "role_name" {
  description = "For aws.role_name."
  value       = aws_iam_role.reader.name
}
