"""The budgets, measured: each of tiffin's figures beside its peer's from the same run."""
