variable "caller_account" {
  description = "The account in which Driftline's collector runs."
  type        = string
  validation {
    condition     = can(regex("^\\d{12}$", var.caller_account))
    error_message = "An account id has twelve digits."
  }
}

variable "external_id" {
  description = "What the collector names when it takes the role (aws.external_id)."
  type        = string
  validation {
    condition     = can(regex("^[\\w+=,.@:/-]{16,1224}$", var.external_id))
    error_message = "At least 16 letters, digits or signs of +=,.@:/-"
  }
}

variable "role_name" {
  description = "aws.role_name of the collector."
  type        = string
  default     = "DriftlineReader"
}

variable "organizational_units" {
  description = "Organizational units, or the root, whose accounts get the role; empty: this account alone."
  type        = list(string)
  default     = []
}

variable "call_as" {
  description = "SELF in the management account, DELEGATED_ADMIN in a delegated one."
  type        = string
  default     = "SELF"
}
