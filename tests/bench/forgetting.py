"""How much is kept over two simulated years of churn (tests.core.years): `python -m tests.bench.forgetting [days]`. Prints
what state and topics hold at the end of each quarter."""

import sys

from tests.core.years import MONTH, Years

QUARTER = 3


def main() -> None:
    months = (int(sys.argv[1]) if len(sys.argv) > 1 else 730) // MONTH
    years = Years()
    print("month  resources ever  state rows  state kB  findings  findings kB")
    for number in range(1, months + 1):
        size = years.month()
        if number % QUARTER == 0 or number in (1, 2, months):
            print(f"{number:5}  {size.made:14,}  {size.rows:10,}  {size.state_bytes / 1e3:8,.0f}"
                  f"  {size.findings:8,}  {size.finding_bytes / 1e3:11,.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
