"""Options of commands that are about AWS."""

import click


def _names(_: click.Context, option: click.Parameter, text: str | None) -> list[str] | None:
    """The elements of a list. Raises UserError if it is empty."""
    from driftline.pipeline.rulebook.narrowing import named

    return None if text is None else named(option.opts[0], [text])


PROFILE = click.Option(["--profile"], metavar="NAME", help="Profile of your AWS configuration.")
ROLE = click.Option(["--role-arn"], metavar="ARN", help="Assume this role first.")
scan_options = (
    click.Option(
        ["--regions"], metavar="LIST|all", callback=_names, help="Comma-separated [default: all enabled regions]."
    ),
    click.Option(
        ["--accounts"], metavar="LIST|all", callback=_names,
        help="Comma-separated, or all for the organization [default: the caller's account].",
    ),
    PROFILE,
    ROLE,
)  # fmt: skip
sweep_options = (
    click.Option(
        ["--accounts"], metavar="LIST|all", callback=_names,
        help="Comma-separated, or all for the organization [default: aws.accounts].",
    ),
    click.Option(
        ["--regions"], metavar="LIST|all", callback=_names,
        help="Comma-separated [default: aws.regions, else all enabled regions].",
    ),
    PROFILE,
    ROLE,
    click.Option(
        ["--role-name"], metavar="NAME",
        help="The role to assume in every other account [default: aws.role_name].",
    ),
    click.Option(
        ["--external-id"], metavar="ID",
        help="The external id that the role requires [default: aws.external_id].",
    ),
)  # fmt: skip
read_options = (PROFILE, ROLE)
event_options = (PROFILE, ROLE)
permission_options = (
    click.Option(
        ["--accounts"], metavar="all",
        help="all: the policy of the caller, which lists the organization and reads its own account.",
    ),
    click.Option(
        ["--trust", "trusted"], metavar="ACCOUNT",
        help="Print the role's trust policy, for a caller in this account.",
    ),
    click.Option(
        ["--external-id"], metavar="ID", help="With --trust: the external id that the caller must use."
    ),
    click.Option(
        ["--role-name"], metavar="NAME",
        help="The role in every account [default: aws.role_name].",
    ),
    click.Option(
        ["--partition"], default="aws", show_default=True, metavar="NAME",
        help="Partition of the accounts: aws, aws-cn, aws-us-gov, aws-eusc or another that botocore knows.",
    ),
)  # fmt: skip
