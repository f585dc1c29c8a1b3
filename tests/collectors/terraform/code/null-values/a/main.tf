variable "policy" {
  default = null
}
module "b" {
  source = "./b"
  policy = var.policy
}
