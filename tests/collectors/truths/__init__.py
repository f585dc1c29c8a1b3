"""Accounts whose every flaw is known, a module a service: TYPES (scanned, alone in the account), `build(moto) -> Truth`
(see tests.collectors.truth), and NEVER_FAILED, NEVER_PASSED: rules that the simulated AWS cannot show so."""
