output "json" {
  value = null
}
