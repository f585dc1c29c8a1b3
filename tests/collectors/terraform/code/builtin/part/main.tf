variable "name" {}

resource "terraform_data" "part" {
  input = var.name
}
