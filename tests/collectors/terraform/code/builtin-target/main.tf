variable "token" {
  default   = "redacted"
  sensitive = true
}

resource "terraform_data" "plain" {
  input = { name = "a", list = [1, 2] }
}

resource "terraform_data" "secret" {
  input = { token = var.token, name = "a" }
}

resource "terraform_data" "counted" {
  count = 2
  input = count.index
}

module "part" {
  source   = "./part"
  for_each = toset(["x.y", "z"])
  name     = each.key
}
